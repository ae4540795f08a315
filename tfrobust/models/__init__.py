"""Architectures, and the layer that they need: plain Keras models, pixels in, logits out."""

from tfrobust.models.batch_normalization import BatchNormalization

__all__ = ["BatchNormalization"]
