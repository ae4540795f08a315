"""Compiled functions of classifiers: on devices, and kept per architecture, weights being arguments."""
