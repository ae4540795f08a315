"""Architectures, and the layers that they need: plain Keras models, pixels in, logits out."""

from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.digits_cnn import digits_cnn
from tfrobust.models.dropout import Dropout
from tfrobust.models.load import load_classifier
from tfrobust.models.mnist_cnn import mnist_cnn
from tfrobust.models.mobilenet_v2 import mobilenet_v2
from tfrobust.models.preact_resnet import preact_resnet18
from tfrobust.models.resnet import resnet18
from tfrobust.models.senet import senet18
from tfrobust.models.shufflenet_v2 import shufflenet_v2
from tfrobust.models.swap import with_exact_batch_normalization, with_stock_batch_normalization
from tfrobust.models.trades_cnn import trades_cnn
from tfrobust.models.vgg import vgg16
from tfrobust.models.wide_resnet import wide_resnet

__all__ = [
    "BatchNormalization",
    "Dropout",
    "digits_cnn",
    "load_classifier",
    "mnist_cnn",
    "mobilenet_v2",
    "preact_resnet18",
    "resnet18",
    "senet18",
    "shufflenet_v2",
    "trades_cnn",
    "vgg16",
    "wide_resnet",
    "with_exact_batch_normalization",
    "with_stock_batch_normalization",
]
