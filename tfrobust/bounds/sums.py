"""Operations on several inputs: sums, means and concatenations."""

from collections.abc import Sequence

import tensorflow as tf

from tfrobust.bounds.arithmetic import Arithmetic
from tfrobust.bounds.interval import Interval
from tfrobust.bounds.operation import Operation


class WeightedSum(Operation):
    """The sum of its inputs, each times a number.

    Args:
        weights: a number for each input: (1, 1) for `Add`, (1, -1) for `Subtract`.
    """

    def __init__(self, weights: Sequence[float]):
        self.weights = tuple(weights)

    def bound(
        self, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[Interval, tf.Tensor | None]:
        pairs = list(zip(self.weights, inputs, strict=True))
        lower = tf.add_n([w * (box.lower if w > 0 else box.upper) for w, box in pairs])
        upper = tf.add_n([w * (box.upper if w > 0 else box.lower) for w, box in pairs])
        magnitudes = [box.magnitude for box in inputs]
        size = tf.add_n([abs(w) * m for w, m in zip(self.weights, magnitudes, strict=True)])
        return Interval(lower, upper), arithmetic.bound_error(len(pairs), size, *magnitudes)

    def relax(
        self, rows: tf.Tensor, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[list[tf.Tensor], tf.Tensor | float]:
        return [w * rows for w in self.weights], 0.0


class Concatenation(Operation):
    """Its inputs one after the other.

    Args:
        axis: along which.
    """

    def __init__(self, axis: int):
        self.axis = axis

    def bound(
        self, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[Interval, tf.Tensor | None]:
        lower = tf.concat([box.lower for box in inputs], self.axis)
        return Interval(lower, tf.concat([box.upper for box in inputs], self.axis)), None

    def relax(
        self, rows: tf.Tensor, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[list[tf.Tensor], tf.Tensor | float]:
        sizes = [tf.shape(box.lower)[self.axis] for box in inputs]
        return tf.split(rows, tf.stack(sizes), self.axis, num=len(inputs)), 0.0
