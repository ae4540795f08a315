"""Wide residual networks, the large networks of the papers."""

import functools
from collections.abc import Sequence

import keras

from tfrobust.errors import UserError
from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def wide_resnet(
    depth: int = 28,
    width_factor: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    activation: str = "relu",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    padding: str = "pytorch",
    momentum: float = 0.9,
    start: str = "fan_out",
) -> keras.Model:
    """WRN-depth-width_factor without dropout: WRN-28-10 has 36,479,194 parameters for 10 classes.

    Use it where a paper does: 28-8 (23,354,842 parameters) for ATLAS and LLR, 34-10 (46,160,474)
    for TRADES, AWP, FAT, MART and RAT, 40-8 (35,748,314) for LLR; 10-1 or 16-2 for quick results.
    It has a convolution of 16 filters, three groups of (depth - 4) / 6 blocks of 16, 32 and 64 times
    `width_factor` filters, the last two groups with stride 2 in their first block; BN, activation,
    mean over all pixels, dense. Each block is

        h = activation(BN(x));  shortcut = conv 1x1/s (h) where the filters change, x elsewhere
        out = conv 3x3 (activation(BN(conv 3x3/s (h)))) + shortcut

    Convolutions have no bias; the dense layer starts as PyTorch's does, with bias 0.

    Two variants of papers: LLR's has activation="softplus" and start="fan_in"; that of Gowal et
    al., HAT and SCORE has activation="silu", padding="tensorflow", momentum=0.99, mean and std.

    Args:
        depth: 6 n + 4 with n at least 1.
        width_factor: at least 1.
        input_shape, num_classes, activation, mean, std: see `tfrobust.models`.
        padding: at stride 2, "pytorch" (one zero on every side) or "tensorflow" (on the right and at
            the bottom).
        momentum: of BatchNormalization, the share of the old averages.
        start: of the convolutions, He-normal over "fan_out" or "fan_in", or "pytorch".

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> model = tfrobust.models.wide_resnet(depth=10, width_factor=1)
        >>> model.name, model.output_shape
        ('wide_resnet_10_1', (None, 10))

    Reference: Zagoruyko and Komodakis 2016, arXiv:1605.07146. The code of TRADES has a second copy of
    the first group that nothing uses, 2,102,112 parameters in WRN-34-10; it is left out.
    """
    integer(width_factor, "width_factor", minimum=1)
    if integer(depth, "depth", minimum=10) % 6 != 4:
        raise UserError(
            f"`depth` must be 6 n + 4, such as 10, 28, 34 or 40. Received: depth={depth}."
        )
    parts.check_choice(parts.PADDINGS, "padding", padding)
    parts.check_choice(parts.STARTS, "start", start)
    convolve = functools.partial(parts.convolve, padding=padding, start=start)

    def block(x, filters, stride):
        h = parts.batch_normalise(x, activation, momentum)
        shortcut = x if x.shape[-1] == filters else convolve(h, filters, 1, stride)
        h = parts.batch_normalise(convolve(h, filters, 3, stride), activation, momentum)
        return keras.layers.Add()([convolve(h, filters, 3), shortcut])

    def features(x):
        x = convolve(x, 16, 3)
        for group in range(3):
            for place in range((depth - 4) // 6):
                stride = 2 if group > 0 and place == 0 else 1
                x = block(x, 16 * width_factor * 2**group, stride)
        return parts.batch_normalise(x, activation, momentum)

    return parts.build_classifier(
        f"wide_resnet_{depth}_{width_factor}",
        features,
        input_shape,
        num_classes,
        activation,
        mean,
        std,
        start=functools.partial(parts.start_as_pytorch, bias=False),
    )
