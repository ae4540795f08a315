"""Max-pooling."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.bounds.arithmetic import Arithmetic
from tfrobust.bounds.interval import Interval, sum_rows
from tfrobust.bounds.operation import Operation


class MaxPooling(Operation):
    """The largest number of each window.

    It is at least the number whose lower bound is the largest, and at most the largest upper bound.
    Where no other number of the window can exceed that one, it is that number. (Only windows that
    do not overlap are looked at for this.)

    Args:
        size, strides: of the windows, (height, width).
        padding: "VALID" or "SAME".
    """

    is_linear = False

    def __init__(self, size: Sequence[int], strides: Sequence[int], padding: str):
        self._size, self._strides, self._padding = tuple(size), tuple(strides), padding

    def _pool(self, x):
        return tf.nn.max_pool2d(x, self._size, self._strides, self._padding)

    def _find_largest(self, x, rows):
        """Rows, each put at the place of the largest number of its window."""
        with tf.GradientTape() as tape:
            tape.watch(x)
            largest = self._pool(x)
        return tape.gradient(largest, x, rows)

    def bound(
        self, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[Interval, tf.Tensor | None]:
        (box,) = inputs
        return Interval(self._pool(box.lower), self._pool(box.upper)), None

    def relax(
        self, rows: tf.Tensor, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[list[tf.Tensor], tf.Tensor | float]:
        (box,) = inputs
        lower = self._pool(box.lower)
        is_known = self._find_winners(box, lower)
        negative = tf.minimum(rows, 0.0)
        known = tf.maximum(rows, 0.0) + tf.where(is_known, negative, 0.0)
        rest = tf.where(is_known, tf.zeros_like(rows), negative)
        return [self._find_largest(box.lower, known)], sum_rows(rest * self._pool(box.upper))

    def _find_winners(self, box, lower):
        if any(stride < size for stride, size in zip(self._strides, self._size, strict=True)):
            return tf.zeros_like(lower, tf.bool)
        chosen = self._find_largest(box.lower, tf.ones_like(lower)) > 0.0
        others = tf.where(chosen, tf.constant(box.upper.dtype.min, box.upper.dtype), box.upper)
        return self._pool(others) <= lower


def max_pooling_2d(layer: keras.layers.MaxPooling2D) -> MaxPooling:
    """`keras.layers.MaxPooling2D`."""
    return MaxPooling(layer.pool_size, layer.strides, layer.padding.upper())
