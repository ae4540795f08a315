"""The residual network whose branches weigh their channels."""

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def senet18(
    width=64, input_shape=(32, 32, 3), num_classes=10, activation="relu", mean=None, std=None
):
    """SENet-18: 11,260,354 parameters at width 64 for 10 classes.

    Use it to see whether a method's gain belongs to one network, as the paper of FAIT and MER does.
    It is PreActResNet-18 with BN and activation after the first convolution instead of before the
    mean over all pixels, and squeeze-and-excitation on each branch:

        h = activation(BN(x));  branch = conv 3x3 (activation(BN(conv 3x3/s (h))))
        g = sigmoid(dense(activation(dense(mean over pixels of branch)))), a sixteenth of the
            channels in between
        out = g * branch + shortcut,  shortcut = conv 1x1/s (h) where the shape changes, x elsewhere

    Convolutions pad by zeros on every side; all layers start as PyTorch's do, uniform on
    +-1/sqrt(fan_in).

    Args:
        width: filters of the first stage, at least 1.
        input_shape: (height, width, channels).
        num_classes: at least 2.
        activation: "relu", "softplus" or "silu", everywhere.
        mean, std: numbers per channel, in units of pixels in [0, 1], to normalise by inside the
            model, or None for both.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b,
        num_classes).

    Raises:
        UserError: for arguments outside these ranges.

    Reference: Hu et al. 2018, arXiv:1709.01507, in the form for CIFAR that is usual in PyTorch.
    """
    shape = parts.check(input_shape, num_classes, activation)
    integer(width, "width", minimum=1)

    def block(x, filters, stride):
        h = parts.normalised(x, activation)
        shortcut = x
        if stride > 1 or x.shape[-1] != filters:
            shortcut = parts.convolution(h, filters, 1, stride, start="pytorch")
        h = parts.convolution(h, filters, 3, stride, start="pytorch")
        h = parts.convolution(parts.normalised(h, activation), filters, 3, start="pytorch")
        return keras.layers.Add()([_excited(h, activation), shortcut])

    inputs = keras.Input(shape, name="pixels")
    x = parts.convolution(parts.normalise(inputs, mean, std), width, 3, start="pytorch")
    x = parts.normalised(x, activation)
    for stage in range(4):
        for place in range(2):
            x = block(x, width * 2**stage, 2 if stage > 0 and place == 0 else 1)
    x = keras.layers.GlobalAveragePooling2D()(x)
    logits = parts.logits(x, num_classes, **parts.dense_start(x))
    return keras.Model(inputs, logits, name="senet18")


def _excited(x, activation):
    channels = x.shape[-1]
    g = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    few = max(1, channels // 16)
    g = keras.layers.Dense(few, activation=activation, **parts.dense_start(g))(g)
    g = keras.layers.Dense(channels, activation="sigmoid", **parts.dense_start(g))(g)
    return keras.layers.Multiply()([x, g])
