"""The residual network whose branches weigh their channels."""

from collections.abc import Sequence

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def senet18(
    width: int = 64,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    activation: str = "relu",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> keras.Model:
    """SENet-18: 11,260,354 parameters at width 64 for 10 classes.

    Use it to check that a method does not help one network only, as in the paper of FAIT and MER.
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
        input_shape, num_classes, activation, mean, std: see `tfrobust.models`.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> tfrobust.models.senet18(width=4, num_classes=100).output_shape
        (None, 100)

    Reference: Hu et al. 2018, arXiv:1709.01507, in the form for CIFAR that is usual in PyTorch.
    """
    integer(width, "width", minimum=1)

    def block(x, filters, stride):
        h = parts.batch_normalise(x, activation)
        shortcut = x
        if stride > 1 or x.shape[-1] != filters:
            shortcut = parts.convolve(h, filters, 1, stride, start="pytorch")
        h = parts.convolve(h, filters, 3, stride, start="pytorch")
        h = parts.convolve(parts.batch_normalise(h, activation), filters, 3, start="pytorch")
        return keras.layers.Add()([_excite(h, activation), shortcut])

    def features(x):
        x = parts.convolve(x, width, 3, start="pytorch")
        return parts.add_stages(parts.batch_normalise(x, activation), width, block)

    return parts.build_classifier(
        "senet18", features, input_shape, num_classes, activation, mean, std
    )


def _excite(x, activation):
    channels = x.shape[-1]
    g = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    few = max(1, channels // 16)
    g = keras.layers.Dense(few, activation=activation, **parts.start_as_pytorch(g))(g)
    g = keras.layers.Dense(channels, activation="sigmoid", **parts.start_as_pytorch(g))(g)
    return keras.layers.Multiply()([x, g])
