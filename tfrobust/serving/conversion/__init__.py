"""Exported classifiers in other formats, and their accuracy measured again."""

from tfrobust.serving.conversion.convert import convert_export as convert_export
