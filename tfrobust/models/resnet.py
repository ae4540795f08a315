"""The residual network with activations after the additions."""

from collections.abc import Sequence

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def resnet18(
    width: int = 64,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    activation: str = "relu",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    activate_branch: bool = False,
) -> keras.Model:
    """ResNet-18 for images of 32 by 32: 11,173,962 parameters at width 64 for 10 classes.

    Use it where a paper says ResNet-18, as that of FAIT and MER does; use a smaller `width` for quick
    results. It has a convolution, BN, activation, then four stages of two blocks, of width, 2 width, 4 width
    and 8 width filters, the last three with stride 2; mean over all pixels, dense. Each block is

        branch = BN(conv 3x3 (activation(BN(conv 3x3/s (x)))))
        out = activation(branch + shortcut),
        shortcut = BN(conv 1x1/s (x)) where the shape changes, x elsewhere

    Convolutions have no bias and pad by zeros on every side; all layers start as PyTorch's do,
    uniform on +-1/sqrt(fan_in).

    Args:
        width: filters of the first stage, at least 1.
        input_shape, num_classes, activation, mean, std: see `tfrobust.models`.
        activate_branch: whether the branch also has an activation before the addition, as in GAT's code.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> tfrobust.models.resnet18(width=4, num_classes=100).output_shape
        (None, 100)

    Reference: He et al. 2016, arXiv:1512.03385, in the form for CIFAR that is usual in PyTorch.
    """
    integer(width, "width", minimum=1)

    def block(x, filters, stride):
        shortcut = x
        if stride > 1 or x.shape[-1] != filters:
            shortcut = parts.convolve(x, filters, 1, stride, start="pytorch")
            shortcut = parts.batch_normalise(shortcut)
        h = parts.convolve(x, filters, 3, stride, start="pytorch")
        h = parts.convolve(parts.batch_normalise(h, activation), filters, 3, start="pytorch")
        h = parts.batch_normalise(h, activation if activate_branch else None)
        return keras.layers.Activation(activation)(keras.layers.Add()([h, shortcut]))

    def features(x):
        x = parts.convolve(x, width, 3, start="pytorch")
        return parts.add_stages(parts.batch_normalise(x, activation), width, block)

    return parts.build_classifier(
        "resnet18", features, input_shape, num_classes, activation, mean, std
    )
