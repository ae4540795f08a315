"""The small network that splits and shuffles its channels."""

from collections.abc import Sequence

import keras

from tfrobust.models import parts
from tfrobust.ops.numbers import number

# Filters of the three stages and of the last convolution.
_FILTERS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (224, 488, 976, 2048),
}


def shufflenet_v2(
    size: float = 1.0,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    activation: str = "relu",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> keras.Model:
    """ShuffleNetV2 for images of 32 by 32: 1,263,854 parameters for 10 classes, 352,042 at size 0.5.

    Use it to check that a method also helps a small network, as in the paper of FAIT and MER. It has a
    convolution of 24 filters, BN, activation; three stages, each of one block that halves the image
    and 3, 7 and 3 more; a convolution 1x1 of 1024 filters, BN, activation, mean over all pixels, dense.
    The blocks of f filters are

        halving: left = act(BN(conv 1x1, f/2 (BN(depthwise 3x3/2 (x)))))
                 right = act(BN(conv 1x1, f/2 (BN(depthwise 3x3/2 (act(BN(conv 1x1, f/2 (x))))))))
        others:  left, r = the two halves of the channels of x
                 right = act(BN(conv 1x1 (BN(depthwise 3x3 (act(BN(conv 1x1 (r))))))))
        out = left and right, one channel of each in turn

    No convolution has a bias, all pad by zeros on every side, all layers start as PyTorch's do,
    uniform on +-1/sqrt(fan_in).

    Args:
        size: 0.5, 1, 1.5 or 2. The paper of FAIT does not state which one it uses.
        input_shape, num_classes, activation, mean, std: see `tfrobust.models`.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> model = tfrobust.models.shufflenet_v2(size=0.5)
        >>> sum(v.numpy().size for v in model.trainable_variables)
        352042

    Reference: Ma et al. 2018, arXiv:1807.11164, in the form for CIFAR that is usual in PyTorch.
    """
    parts.check_choice(tuple(_FILTERS), "size", number(size, "size"))
    *stages, last = _FILTERS[number(size, "size")]

    def pointwise(x, filters):
        return parts.batch_normalise(parts.convolve(x, filters, 1, start="pytorch"), activation)

    def depthwise(x, stride):
        return parts.batch_normalise(parts.convolve_depthwise(x, 3, stride))

    def halve(x, filters):
        left = pointwise(depthwise(x, 2), filters // 2)
        right = pointwise(depthwise(pointwise(x, filters // 2), 2), filters // 2)
        return _interleave(left, right)

    def block(x):
        left, right = keras.ops.split(x, 2, axis=-1)
        half = right.shape[-1]
        return _interleave(left, pointwise(depthwise(pointwise(right, half), 1), half))

    def features(x):
        x = parts.batch_normalise(parts.convolve(x, 24, 3, start="pytorch"), activation)
        for filters, blocks in zip(stages, (3, 7, 3), strict=True):
            x = halve(x, filters)
            for _ in range(blocks):
                x = block(x)
        return pointwise(x, last)

    return parts.build_classifier(
        "shufflenet_v2", features, input_shape, num_classes, activation, mean, std
    )


def _interleave(left, right):
    *pixels, half = left.shape[1:]
    x = keras.layers.Concatenate()([left, right])
    x = keras.layers.Reshape((*pixels, 2, half))(x)
    x = keras.layers.Permute((1, 2, 4, 3))(x)
    return keras.layers.Reshape((*pixels, 2 * half))(x)
