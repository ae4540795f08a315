"""Saving and exporting trained classifiers, in forms that load without tfrobust."""

from tfrobust.serving.card import describe_training, update_card
from tfrobust.serving.export import export_classifier
from tfrobust.serving.keras_file import save_classifier

__all__ = ["describe_training", "export_classifier", "save_classifier", "update_card"]
