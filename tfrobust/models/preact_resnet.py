"""The pre-activation residual network that most papers train on 32 by 32 images."""

import keras

from tfrobust.models import parts
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.numbers import integer


def preact_resnet18(
    width=64, input_shape=(32, 32, 3), num_classes=10, activation="relu", mean=None, std=None
):
    """PreActResNet-18: 11,172,170 parameters at width 64 for 10 classes.

    Use it for CIFAR-10, CIFAR-100 and SVHN; a smaller `width` for a quick look. Each block is

        h = activation(BN(x));  shortcut = conv 1x1/s (h) where the shape changes, x elsewhere
        out = conv 3x3 (activation(BN(conv 3x3/s (h)))) + shortcut

    in four stages of two blocks, of width, 2 width, 4 width and 8 width filters, the last three
    with stride 2; then BN, activation, mean over all pixels, dense. Convolutions have no bias, pad
    by one zero on every side as in PyTorch, and start He-normal over fan-out; the dense layer
    starts Glorot-uniform with bias 0.

    Args:
        width: filters of the first stage, at least 1.
        input_shape: (height, width, channels).
        num_classes: at least 2.
        activation: "relu", "softplus" or "silu", everywhere.
        mean, std: numbers per channel, in units of pixels in [0, 1], to normalise by inside the
        model,
            or None for both.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b,
        num_classes).

    Raises:
        UserError: for arguments outside these ranges.

    Reference: He et al. 2016, arXiv:1603.05027, as in the code of TRADES, Rice et al. and AWP.
    Wong et
        al.'s variant takes the strided shortcut from x instead of h.
    """
    shape = parts.check(input_shape, num_classes, activation)
    integer(width, "width", minimum=1)
    inputs = keras.Input(shape, name="pixels")
    x = _convolution(parts.normalise(inputs, mean, std), width, 3)
    for stage in range(4):
        for block in range(2):
            x = _block(x, width * 2**stage, 2 if stage > 0 and block == 0 else 1, activation)
    x = _activate(x, activation)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, parts.logits(x, num_classes), name="preact_resnet18")


def _block(x, filters, stride, activation):
    h = _activate(x, activation)
    changes = stride > 1 or x.shape[-1] != filters
    shortcut = _convolution(h, filters, 1, stride) if changes else x
    h = _activate(_convolution(h, filters, 3, stride), activation)
    return keras.layers.Add()([_convolution(h, filters, 3), shortcut])


def _activate(x, activation):
    return keras.layers.Activation(activation)(BatchNormalization()(x))


def _convolution(x, filters, kernel, stride=1):
    padding = "same"
    if stride > 1:
        # At stride 2 "same" would pad an even image on the right and at the bottom only.
        padding = "valid"
        if kernel == 3:
            x = keras.layers.ZeroPadding2D(1)(x)
    return keras.layers.Conv2D(
        filters,
        kernel,
        stride,
        padding,
        use_bias=False,
        kernel_initializer=parts.fan_out_normal(),
    )(x)
