"""The small network for pictures of any size."""

from collections.abc import Sequence

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import integer

_SMALLEST_MAP = 4


def small_cnn(
    width: int = 16,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    activation: str = "relu",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> keras.Model:
    """A plain convolutional network whose depth follows from the size of the images.

    Use it as the first network for pictures of your own: it has 98,970 parameters for 32 by 32 and 10
    classes, and trains on a laptop. The images are halved while their longer side is over 4 pixels:

        conv 3x3, w - conv 3x3/2, f for f = 2 w, 4 w, ..., at most 8 w - mean over all pixels - dense

    Each convolution is followed by BN and activation. Kernels start He-normal over fan-out, the dense layer
    as PyTorch's.

    Args:
        width: w, filters of the first convolution, at least 1.
        input_shape, num_classes, activation, mean, std: see `tfrobust.models`.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> model = tfrobust.models.small_cnn(input_shape=(64, 48, 3), num_classes=2)
        >>> model.output_shape, len([v for v in model.layers if isinstance(v, keras.layers.Conv2D)])
        ((None, 2), 5)
    """
    integer(width, "width", minimum=1)

    def convolve(x, filters, stride=1):
        return parts.batch_normalise(parts.convolve(x, filters, 3, stride), activation)

    def features(x):
        filters = width
        x = convolve(x, filters)
        while max(x.shape[1:3]) > _SMALLEST_MAP:
            filters = min(2 * filters, 8 * width)
            x = convolve(x, filters, 2)
        return x

    return parts.build_classifier(
        "small_cnn", features, input_shape, num_classes, activation, mean, std
    )
