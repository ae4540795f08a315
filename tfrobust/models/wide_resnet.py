"""Wide residual networks, the large networks of the papers."""

import keras

from tfrobust.errors import UserError
from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def wide_resnet(
    depth=28,
    width_factor=10,
    input_shape=(32, 32, 3),
    num_classes=10,
    activation="relu",
    mean=None,
    std=None,
    padding="pytorch",
    momentum=0.9,
    start="fan_out",
):
    """WRN-depth-width_factor without dropout: WRN-28-10 has 36,479,194 parameters for 10 classes.

    Use it where a paper does: 28-8 (23,354,842 parameters) for ATLAS and LLR, 34-10 (46,160,474)
    for TRADES, AWP, FAT, MART and RAT, 40-8 (35,748,314) for LLR; 10-1 or 16-2 for a quick look.
    A convolution of 16 filters, three groups of (depth - 4) / 6 blocks of 16, 32 and 64 times
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
        input_shape: (height, width, channels).
        num_classes: at least 2.
        activation: "relu", "softplus" or "silu", everywhere.
        mean, std: numbers per channel, in units of pixels in [0, 1], to normalise by inside the
            model, or None for both.
        padding: at stride 2, "pytorch" (one zero on every side) or "tensorflow" (on the right and at
            the bottom).
        momentum: of BatchNormalization, the share of the old averages.
        start: of the convolutions, He-normal over "fan_out" or "fan_in", or "pytorch".

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b,
        num_classes).

    Raises:
        UserError: for arguments outside these ranges.

    Reference: Zagoruyko and Komodakis 2016, arXiv:1605.07146. The code of TRADES has a second copy of
    the first group that nothing uses, 2,102,112 parameters in WRN-34-10; it is left away.
    """
    shape = parts.check(input_shape, num_classes, activation)
    integer(width_factor, "width_factor", minimum=1)
    if integer(depth, "depth", minimum=10) % 6 != 4:
        raise UserError(
            f"`depth` must be 6 n + 4, such as 10, 28, 34 or 40. Received: depth={depth}."
        )
    parts.one_of(parts.PADDINGS, "padding", padding)
    parts.one_of(parts.STARTS, "start", start)
    shared = {"padding": padding, "start": start}

    def block(x, filters, stride):
        h = parts.normalised(x, activation, momentum)
        shortcut = x
        if x.shape[-1] != filters:
            shortcut = parts.convolution(h, filters, 1, stride, **shared)
        h = parts.convolution(h, filters, 3, stride, **shared)
        h = parts.normalised(h, activation, momentum)
        return keras.layers.Add()([parts.convolution(h, filters, 3, **shared), shortcut])

    inputs = keras.Input(shape, name="pixels")
    x = parts.convolution(parts.normalise(inputs, mean, std), 16, 3, **shared)
    for group in range(3):
        for place in range((depth - 4) // 6):
            stride = 2 if group > 0 and place == 0 else 1
            x = block(x, 16 * width_factor * 2**group, stride)
    x = keras.layers.GlobalAveragePooling2D()(parts.normalised(x, activation, momentum))
    logits = parts.logits(x, num_classes, **parts.dense_start(x, bias=False))
    return keras.Model(inputs, logits, name=f"wide_resnet_{depth}_{width_factor}")
