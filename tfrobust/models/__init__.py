"""Architectures, and the layers that they need: plain Keras models, pixels in, logits out."""

from tfrobust.models.batch_normalization import BatchNormalization as BatchNormalization
from tfrobust.models.digits_cnn import digits_cnn as digits_cnn
from tfrobust.models.dropout import Dropout as Dropout
from tfrobust.models.load import load_classifier as load_classifier
from tfrobust.models.mnist_cnn import mnist_cnn as mnist_cnn
from tfrobust.models.mobilenet_v2 import mobilenet_v2 as mobilenet_v2
from tfrobust.models.preact_resnet import preact_resnet18 as preact_resnet18
from tfrobust.models.resnet import resnet18 as resnet18
from tfrobust.models.senet import senet18 as senet18
from tfrobust.models.shufflenet_v2 import shufflenet_v2 as shufflenet_v2
from tfrobust.models.swap import with_exact_batch_normalization as with_exact_batch_normalization
from tfrobust.models.swap import with_stock_batch_normalization as with_stock_batch_normalization
from tfrobust.models.trades_cnn import trades_cnn as trades_cnn
from tfrobust.models.vgg import vgg16 as vgg16
from tfrobust.models.wide_resnet import wide_resnet as wide_resnet
from tfrobust.spec import public_names

__all__ = public_names(globals())
