"""The plain convolutional network of sixteen layers."""

import keras

from tfrobust.errors import UserError
from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def vgg16(
    width=64, input_shape=(32, 32, 3), num_classes=10, activation="relu", mean=None, std=None
):
    """VGG-16 with BatchNormalization and one dense layer: 14,728,266 parameters for CIFAR-10.

    Use it to see whether a method's gain belongs to one network, as RAT and the paper of FAIT and
    MER do; a smaller `width` for a quick look. Thirteen times convolution 3x3 with bias, BN,
    activation, with a max-pooling over 2 by 2 (M) after some, and a dense layer:

        w, w, M, 2w, 2w, M, 4w, 4w, 4w, M, 8w, 8w, 8w, M, 8w, 8w, 8w, M with w = width

    All layers start as PyTorch's do, uniform on +-1/sqrt(fan_in).

    Args:
        width: filters of the first convolution, at least 1.
        input_shape: (height, width, channels), at least 32 pixels high and wide.
        num_classes: at least 2.
        activation: "relu", "softplus" or "silu", everywhere.
        mean, std: numbers per channel, in units of pixels in [0, 1], to normalise by inside the
            model, or None for both.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b,
        num_classes).

    Raises:
        UserError: for arguments outside these ranges.

    Reference: Simonyan and Zisserman 2015, arXiv:1409.1556, in the form for CIFAR that is usual in
    PyTorch. RAT's text speaks of several dense layers; its code for this network is not published.
    """
    shape = parts.check(input_shape, num_classes, activation)
    integer(width, "width", minimum=1)
    if min(shape[:2]) < 32:
        raise UserError(f"`input_shape` must be at least 32 by 32. Received: {input_shape!r}.")
    inputs = keras.Input(shape, name="pixels")
    x = parts.normalise(inputs, mean, std)
    for factor, times in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3)):
        for _ in range(times):
            x = parts.convolution(x, factor * width, 3, start="pytorch", use_bias=True)
            x = parts.normalised(x, activation)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    logits = parts.logits(x, num_classes, **parts.dense_start(x))
    return keras.Model(inputs, logits, name="vgg16")
