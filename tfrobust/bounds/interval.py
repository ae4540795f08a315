"""Boxes: a lower and an upper bound of every number of a tensor."""

from typing import NamedTuple

import tensorflow as tf


class Interval(NamedTuple):
    """All tensors between two others.

    Attributes:
        lower, upper: of one shape, lower <= upper.

    Example:
    >>> from tfrobust.bounds import Interval
    >>> box = Interval(tf.constant([-1.0, 0.0]), tf.constant([3.0, 0.5]))
    >>> box.center.numpy().tolist(), box.radius.numpy().tolist(), box.magnitude.numpy().tolist()
    ([1.0, 0.25], [2.0, 0.25], [3.0, 0.5])
    """

    lower: tf.Tensor
    upper: tf.Tensor

    @property
    def center(self) -> tf.Tensor:
        """The middle."""
        return (self.lower + self.upper) / 2.0

    @property
    def radius(self) -> tf.Tensor:
        """Half of the width."""
        return (self.upper - self.lower) / 2.0

    @property
    def magnitude(self) -> tf.Tensor:
        """The largest absolute value."""
        return tf.maximum(tf.abs(self.lower), tf.abs(self.upper))

    def widen(self, by: tf.Tensor | None) -> "Interval":
        """The box with so much more room on both sides."""
        return self if by is None else Interval(self.lower - by, self.upper + by)

    def intersect(self, other: "Interval") -> "Interval":
        """What lies in both boxes."""
        return Interval(tf.maximum(self.lower, other.lower), tf.minimum(self.upper, other.upper))

    def take(self, rows: tf.Tensor) -> "Interval":
        """The boxes of some examples, by their number, int (r,)."""
        return Interval(tf.gather(self.lower, rows), tf.gather(self.upper, rows))


def bound_product(rows: tf.Tensor, box: Interval) -> tf.Tensor:
    """The least value of <row, z> over z in the box of the row, shape (r,).

    Args:
        rows: (r, ...).
        box: of tensors of the shape of `rows`.

    Example:
    >>> from tfrobust.bounds.interval import Interval, bound_product
    >>> box = Interval(tf.constant([[-1.0, 0.0]]), tf.constant([[3.0, 0.5]]))
    >>> float(bound_product(tf.constant([[1.0, -2.0]]), box)[0])
    -2.0
    """
    zero = tf.zeros_like(rows)
    return sum_rows(tf.maximum(rows, zero) * box.lower + tf.minimum(rows, zero) * box.upper)


def sum_rows(values: tf.Tensor) -> tf.Tensor:
    """Sums over all axes but the first."""
    return tf.reduce_sum(values, axis=tf.range(1, tf.rank(values)))
