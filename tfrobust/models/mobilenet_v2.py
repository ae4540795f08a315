"""The small network of depthwise convolutions between narrow layers."""

from collections.abc import Sequence

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import number

# Expansion, filters, blocks, stride of the first of them.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    width_factor: float = 1.0,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    activation: str = "relu",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> keras.Model:
    """MobileNetV2 for images of 32 by 32: 2,296,922 parameters for 10 classes.

    Use it to check that a method also helps a small network, as in the paper of RAT. It has a
    convolution of 32 filters, BN, activation; 17 blocks in seven stages; a convolution 1x1 of 1280
    filters, BN, activation, mean over all pixels, dense. Each block is

        branch = BN(conv 1x1 (activation(BN(depthwise 3x3/s (activation(BN(conv 1x1 (x))))))))
        out = branch, with stride 1 branch + shortcut,
        shortcut = BN(conv 1x1 (x)) where the filters change, x elsewhere

    where the first convolution 1x1 has six times the filters of x (once in the first block). No
    convolution has a bias, all pad by zeros on every side, all layers start as PyTorch's do,
    uniform on +-1/sqrt(fan_in).

    Args:
        width_factor: multiplies all numbers of filters, which are rounded and at least 1; above 0.
        input_shape, num_classes, activation, mean, std: see `tfrobust.models`.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> tfrobust.models.mobilenet_v2(width_factor=0.1, num_classes=100).output_shape
        (None, 100)

    Reference: Sandler et al. 2018, arXiv:1801.04381, in the form for CIFAR that is usual in PyTorch:
    plain ReLU, and shortcuts also where the filters change. The paper of RAT mentions 19 blocks.
    """
    factor = number(width_factor, "width_factor", minimum=1e-9)

    def scale(filters):
        return max(1, round(factor * filters))

    def convolve(x, filters, kernel=1, activation=activation):
        x = parts.convolve(x, filters, kernel, start="pytorch")
        return parts.batch_normalise(x, activation)

    def block(x, expansion, filters, stride):
        h = convolve(x, expansion * x.shape[-1])
        h = parts.batch_normalise(parts.convolve_depthwise(h, 3, stride), activation)
        h = convolve(h, filters, activation=None)
        if stride > 1:
            return h
        changes = x.shape[-1] != filters
        shortcut = convolve(x, filters, activation=None) if changes else x
        return keras.layers.Add()([h, shortcut])

    def features(x):
        x = convolve(x, scale(32), 3)
        for expansion, filters, blocks, stride in _STAGES:
            for place in range(blocks):
                x = block(x, expansion, scale(filters), stride if place == 0 else 1)
        return convolve(x, scale(1280))

    return parts.build_classifier(
        "mobilenet_v2", features, input_shape, num_classes, activation, mean, std
    )
