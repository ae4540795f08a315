"""The loss over a plane of images."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.losses.input_gradient import loss_and_gradient

Forward = Callable[[tf.Tensor], tf.Tensor]
# Images of a pass; of one shape, so that there is one trace.
_ROWS = 128


def loss_over_plane(
    forward: Forward,
    image: np.ndarray,
    label: int,
    first: np.ndarray,
    second: np.ndarray,
    places: np.ndarray,
    on_batch: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """Computes the cross-entropy at image + a first + b second for all a and b of a grid.

    Images outside of the pixel box are not cut: a cut would bend the surface where the model does not.

    Args:
        forward: function from images (b, h, w, c) to logits (b, k).
        image: (h, w, c), float in [0, 1].
        label: of the image.
        first, second: directions, (h, w, c).
        places: values of a and b, (n,).
        on_batch: called with the share that is done, in [0, 1], after each pass.

    Returns:
        float32 (n, n), a along the first axis.

    Example:
        >>> from tfrobust.figures.planes import loss_over_plane
        >>> def forward(x):
        ...     return tf.reshape(x, (-1, 2))
        >>> image, up = np.zeros((1, 2, 1), np.float32), np.array([[[1.0], [0.0]]], np.float32)
        >>> losses = loss_over_plane(forward, image, 1, up, 0 * up, np.array([-1.0, 0.0, 1.0]))
        >>> print(losses[:, 0].round(3))
        [0.313 0.693 1.313]
    """
    image, first, second = (np.asarray(value, np.float32) for value in (image, first, second))
    grid = np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2)

    @tf.function(autograph=False)
    def losses(coefficients):
        a, b = (tf.reshape(c, (-1, 1, 1, 1)) for c in tf.unstack(coefficients, axis=1))
        logits = forward(image + a * first + b * second)
        return cross_entropy(tf.fill([_ROWS], tf.constant(label, tf.int32)), logits)

    return _map(losses, grid.astype(np.float32), on_batch).reshape(len(places), len(places))


def signed_gradient(forward: Forward, image: np.ndarray, label: int) -> np.ndarray:
    """The sign of the gradient of the cross-entropy by the pixels of one image, (h, w, c)."""

    # Outside of a graph TensorFlow would compute the gradients by all weights too.
    @tf.function(autograph=False)
    def differentiate(x):
        return loss_and_gradient(forward, x, tf.constant([label], tf.int32))[1]

    return np.sign(differentiate(tf.constant(image[None], tf.float32)).numpy()[0])


def random_direction(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A direction of independent signs (Rademacher), float32 of a shape; a function of the seed."""
    signs = np.random.Generator(np.random.Philox(seed)).integers(0, 2, shape)
    return (2 * signs - 1).astype(np.float32)


def _map(function, rows, on_batch):
    """Applies a function of `_ROWS` rows to any number, and tells how far it is."""
    results = []
    for begin in range(0, len(rows), _ROWS):
        part = rows[begin : begin + _ROWS]
        filled = np.concatenate([part, np.repeat(part[-1:], _ROWS - len(part), axis=0)])
        results.append(np.asarray(function(tf.constant(filled)))[: len(part)])
        on_batch(min(1.0, (begin + _ROWS) / len(rows)))
    return np.concatenate(results)
