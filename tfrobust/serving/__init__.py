"""Trained classifiers in a form that needs neither this library nor its code."""

from tfrobust.serving.export import export_classifier

__all__ = ["export_classifier"]
