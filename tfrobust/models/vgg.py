"""The plain convolutional network of sixteen layers."""

from collections.abc import Sequence

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import integer


def vgg16(
    width: int = 64,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    activation: str = "relu",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> keras.Model:
    """VGG-16 with BatchNormalization and one dense layer: 14,728,266 parameters for CIFAR-10.

    Use it to check that a method does not help one network only, as in the papers of RAT and of FAIT
    and MER; use a smaller `width` for quick results. It has thirteen convolutions 3x3 with bias, each
    followed by BN and activation, with max-pooling over 2 by 2 (M) after some, and a dense layer:

        w, w, M, 2w, 2w, M, 4w, 4w, 4w, M, 8w, 8w, 8w, M, 8w, 8w, 8w, M with w = width

    All layers start as PyTorch's do, uniform on +-1/sqrt(fan_in).

    Args:
        width: filters of the first convolution, at least 1.
        input_shape: (height, width, channels), at least 32 pixels high and wide.
        num_classes, activation, mean, std: see `tfrobust.models`.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> tfrobust.models.vgg16(width=2, num_classes=100).output_shape
        (None, 100)

    Reference: Simonyan and Zisserman 2015, arXiv:1409.1556, in the form for CIFAR that is usual in
    PyTorch. The paper of RAT mentions several dense layers; its code for this network is not published.
    """
    integer(width, "width", minimum=1)

    def features(x):
        for factor, times in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3)):
            for _ in range(times):
                x = parts.convolve(x, factor * width, 3, start="pytorch", use_bias=True)
                x = parts.batch_normalise(x, activation)
            x = keras.layers.MaxPooling2D(2)(x)
        return keras.layers.Flatten()(x)

    return parts.build_classifier(
        "vgg16", features, input_shape, num_classes, activation, mean, std, smallest=32
    )
