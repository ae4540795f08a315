"""Trained classifiers in a form that needs neither this library nor its code."""

from tfrobust.serving.export import export_classifier
from tfrobust.serving.keras_file import save_classifier

__all__ = ["export_classifier", "save_classifier"]
