"""The pre-activation residual network that most papers train on 32 by 32 images."""

from collections.abc import Sequence

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def preact_resnet18(
    width: int = 64,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    activation: str = "relu",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    shortcut_from: str = "activated",
    shortcut_kernel: int = 1,
    padding: str = "pytorch",
    momentum: float = 0.9,
) -> keras.Model:
    """PreActResNet-18: 11,172,170 parameters at width 64 for 10 classes.

    Use it for CIFAR-10, CIFAR-100 and SVHN; use a smaller `width` for quick results. Each block is

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
        input_shape, num_classes, activation, mean, std: see `tfrobust.models`.
        shortcut_from: what the convolution of a shortcut takes: "activated" for h, "input" for x.
        shortcut_kernel: height and width of this convolution, 1 or 3.
        padding: at stride 2, "pytorch" or "tensorflow" (on the right and at the bottom).
        momentum: of BatchNormalization, the share of the old averages.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> tfrobust.models.preact_resnet18(width=4, num_classes=100).output_shape
        (None, 100)

    Reference: He et al. 2016, arXiv:1603.05027, as in the code of TRADES, Rice et al. and AWP.
    """
    integer(width, "width", minimum=1)
    parts.check_choice(("activated", "input"), "shortcut_from", shortcut_from)
    parts.check_choice((1, 3), "shortcut_kernel", shortcut_kernel)
    parts.check_choice(parts.PADDINGS, "padding", padding)

    def block(x, filters, stride):
        h = parts.batch_normalise(x, activation, momentum)
        shortcut = x
        if stride > 1 or x.shape[-1] != filters:
            begin = h if shortcut_from == "activated" else x
            shortcut = parts.convolve(begin, filters, shortcut_kernel, stride, padding=padding)
        h = parts.convolve(h, filters, 3, stride, padding=padding)
        h = parts.batch_normalise(h, activation, momentum)
        return keras.layers.Add()([parts.convolve(h, filters, 3), shortcut])

    def features(x):
        x = parts.add_stages(parts.convolve(x, width, 3), width, block)
        return parts.batch_normalise(x, activation, momentum)

    # The last layer starts as Keras's does.
    return parts.build_classifier(
        "preact_resnet18",
        features,
        input_shape,
        num_classes,
        activation,
        mean,
        std,
        start=lambda x: {},
    )
