"""Architectures, and the layers that they need.

Every architecture is a function that returns a functional Keras model from pixels in [0, 1], (b, h, w, c),
to float32 logits, (b, num_classes), which loads wherever `tfrobust` or, once exported, Keras is installed.
These arguments mean the same in all of them:

    input_shape    (height, width, channels) of one image.
    num_classes    number of logits, at least 2.
    activation     "relu", "softplus" or "silu", everywhere in the network.
    mean, std      one number per channel, in units of pixels in [0, 1]; the model then begins with
                   (x - mean) / std, so that attacks and radii stay in units of pixels. None for both, the
                   default, leaves the pixels as they are.
"""

from tfrobust.models.applications import from_applications as from_applications
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
from tfrobust.models.small_cnn import small_cnn as small_cnn
from tfrobust.models.swap import with_exact_batch_normalization as with_exact_batch_normalization
from tfrobust.models.swap import with_stock_batch_normalization as with_stock_batch_normalization
from tfrobust.models.trades_cnn import trades_cnn as trades_cnn
from tfrobust.models.vgg import vgg16 as vgg16
from tfrobust.models.wide_resnet import wide_resnet as wide_resnet
from tfrobust.spec import public_names

__all__ = public_names(globals())
