"""The residual network with activations after the additions."""

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def resnet18(
    width=64,
    input_shape=(32, 32, 3),
    num_classes=10,
    activation="relu",
    mean=None,
    std=None,
    activate_branch=False,
):
    """ResNet-18 for images of 32 by 32: 11,173,962 parameters at width 64 for 10 classes.

    Use it where a paper says ResNet-18, as that of FAIT and MER does; a smaller `width` for a quick
    look. Convolution, BN, activation, then four stages of two blocks, of width, 2 width, 4 width
    and 8 width filters, the last three with stride 2; mean over all pixels, dense. Each block is

        branch = BN(conv 3x3 (activation(BN(conv 3x3/s (x)))))
        out = activation(branch + shortcut),
        shortcut = BN(conv 1x1/s (x)) where the shape changes, x elsewhere

    Convolutions have no bias and pad by zeros on every side; all layers start as PyTorch's do,
    uniform on +-1/sqrt(fan_in).

    Args:
        width: filters of the first stage, at least 1.
        input_shape: (height, width, channels).
        num_classes: at least 2.
        activation: "relu", "softplus" or "silu", everywhere.
        mean, std: numbers per channel, in units of pixels in [0, 1], to normalise by inside the
            model, or None for both.
        activate_branch: an activation on the branch before the addition too, as in GAT's code.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b,
        num_classes).

    Raises:
        UserError: for arguments outside these ranges.

    Reference: He et al. 2016, arXiv:1512.03385, in the form for CIFAR that is usual in PyTorch.
    """
    shape = parts.check(input_shape, num_classes, activation)
    integer(width, "width", minimum=1)

    def block(x, filters, stride):
        shortcut = x
        if stride > 1 or x.shape[-1] != filters:
            shortcut = parts.convolution(x, filters, 1, stride, start="pytorch")
            shortcut = parts.normalised(shortcut)
        h = parts.convolution(x, filters, 3, stride, start="pytorch")
        h = parts.convolution(parts.normalised(h, activation), filters, 3, start="pytorch")
        h = parts.normalised(h, activation if activate_branch else None)
        return keras.layers.Activation(activation)(keras.layers.Add()([h, shortcut]))

    inputs = keras.Input(shape, name="pixels")
    x = parts.convolution(parts.normalise(inputs, mean, std), width, 3, start="pytorch")
    x = parts.normalised(x, activation)
    for stage in range(4):
        for place in range(2):
            x = block(x, width * 2**stage, 2 if stage > 0 and place == 0 else 1)
    x = keras.layers.GlobalAveragePooling2D()(x)
    logits = parts.logits(x, num_classes, **parts.dense_start(x))
    return keras.Model(inputs, logits, name="resnet18")
