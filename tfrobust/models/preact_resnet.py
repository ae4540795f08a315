"""The pre-activation residual network that most papers train on 32 by 32 images."""

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def preact_resnet18(
    width=64,
    input_shape=(32, 32, 3),
    num_classes=10,
    activation="relu",
    mean=None,
    std=None,
    shortcut_from="activated",
    shortcut_kernel=1,
    padding="pytorch",
    momentum=0.9,
):
    """PreActResNet-18: 11,172,170 parameters at width 64 for 10 classes.

    Use it for CIFAR-10, CIFAR-100 and SVHN; a smaller `width` for a quick look. Each block is

        h = activation(BN(x));  shortcut = conv 1x1/s (h) where the shape changes, x elsewhere
        out = conv 3x3 (activation(BN(conv 3x3/s (h)))) + shortcut

    in four stages of two blocks, of width, 2 width, 4 width and 8 width filters, the last three
    with stride 2; then BN, activation, mean over all pixels, dense. Convolutions have no bias, pad
    by one zero on every side as in PyTorch, and start He-normal over fan-out; the dense layer
    starts Glorot-uniform with bias 0.

    Two variants of papers: that of Wong et al. takes `shortcut_from="input"`; that of Gowal et al.,
    HAT and SCORE is

        preact_resnet18(activation="silu", shortcut_from="input", shortcut_kernel=3,
                        padding="tensorflow", momentum=0.99, mean=..., std=...)

    Args:
        width: filters of the first stage, at least 1.
        input_shape: (height, width, channels).
        num_classes: at least 2.
        activation: "relu", "softplus" or "silu", everywhere.
        mean, std: numbers per channel, in units of pixels in [0, 1], to normalise by inside the
            model, or None for both.
        shortcut_from: where the convolution of a shortcut begins: "activated", at h, or "input", at
            x.
        shortcut_kernel: its size, 1 or 3.
        padding: at stride 2, "pytorch" or "tensorflow" (on the right and at the bottom).
        momentum: of BatchNormalization, the share of the old averages.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b,
        num_classes).

    Raises:
        UserError: for arguments outside these ranges.

    Reference: He et al. 2016, arXiv:1603.05027, as in the code of TRADES, Rice et al. and AWP.
    """
    shape = parts.check(input_shape, num_classes, activation)
    integer(width, "width", minimum=1)
    parts.one_of(("activated", "input"), "shortcut_from", shortcut_from)
    parts.one_of((1, 3), "shortcut_kernel", shortcut_kernel)
    parts.one_of(parts.PADDINGS, "padding", padding)

    def block(x, filters, stride):
        h = parts.normalised(x, activation, momentum)
        shortcut = x
        if stride > 1 or x.shape[-1] != filters:
            begin = h if shortcut_from == "activated" else x
            shortcut = parts.convolution(begin, filters, shortcut_kernel, stride, padding=padding)
        h = parts.convolution(h, filters, 3, stride, padding=padding)
        h = parts.normalised(h, activation, momentum)
        return keras.layers.Add()([parts.convolution(h, filters, 3), shortcut])

    inputs = keras.Input(shape, name="pixels")
    x = parts.convolution(parts.normalise(inputs, mean, std), width, 3)
    for stage in range(4):
        for place in range(2):
            x = block(x, width * 2**stage, 2 if stage > 0 and place == 0 else 1)
    x = parts.normalised(x, activation, momentum)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, parts.logits(x, num_classes), name="preact_resnet18")
