"""Compiled functions that are kept: per architecture, with the weights as their arguments."""
