"""Architectures, and the layers that they need: plain Keras models, pixels in, logits out."""

from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.digits_cnn import digits_cnn
from tfrobust.models.dropout import Dropout
from tfrobust.models.load import load_classifier
from tfrobust.models.mnist_cnn import mnist_cnn
from tfrobust.models.preact_resnet import preact_resnet18
from tfrobust.models.swap import with_exact_batch_normalization, with_stock_batch_normalization

__all__ = [
    "BatchNormalization",
    "Dropout",
    "digits_cnn",
    "load_classifier",
    "mnist_cnn",
    "preact_resnet18",
    "with_exact_batch_normalization",
    "with_stock_batch_normalization",
]
