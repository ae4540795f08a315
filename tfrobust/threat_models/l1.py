"""The L1 norm: the changes of all pixels together may add up to epsilon."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.hyperplane import nearest_l1
from tfrobust.ops.l1_ball import nearest_in_l1_ball
from tfrobust.ops.norms import expand, flat
from tfrobust.ops.numbers import number
from tfrobust.ops.random.keys import Keys
from tfrobust.spec import register
from tfrobust.threat_models.base import ThreatModel


@register
@dataclasses.dataclass(frozen=True)
class L1(ThreatModel):
    """Sum norm: the sum of |x_adv - x| over pixels and channels is at most epsilon, and x_adv in [0, 1].

    Use it with `APGD`, `FAB` and `Square`, or the suite "autoattack". The steepest step goes along a
    single pixel, the one with the largest gradient, even where the box does not let it move: `PGD` moves
    one pixel a step, gets stuck at a pixel that is at its limit, and is weak.

    Args:
        epsilon: radius in pixel units of [0, 1]; it may exceed 1, by far for large images.

    Raises:
        UserError: if epsilon is negative.

    Example:
    >>> x = tf.zeros((1, 1, 1, 2))
    >>> moved = tfrobust.threat_models.L1(1.0).project(tf.constant([[[[0.9, 0.7]]]]), x, 1.0)
    >>> print(moved.numpy().round(3))
    [[[[0.6 0.4]]]]
    """

    def check(self) -> None:
        number(self.epsilon, "epsilon", 0.0)

    def project(self, candidate: tf.Tensor, x: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
        """The nearest point in the Euclidean norm, exactly, of ball and box together."""
        return nearest_in_l1_ball(candidate, x, radius)

    def random_point(self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys) -> tf.Tensor:
        """Uniform in the ball of n dimensions: n of n + 1 exponential numbers, over their sum."""
        length = _exponential(keys.fold_in(0), tf.shape(x), x.dtype)
        other = _exponential(keys.fold_in(1), tf.shape(x)[:1], x.dtype)
        total = tf.reduce_sum(flat(length), axis=1) + other
        return x + radius * _signed(length, keys.fold_in(2)) / expand(total, x)

    def random_surface_point(
        self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        """Uniform on the surface."""
        length = _exponential(keys.fold_in(0), tf.shape(x), x.dtype)
        total = tf.reduce_sum(flat(length), axis=1)
        return x + radius * _signed(length, keys.fold_in(2)) / expand(total, x)

    def steepest(self, gradient: tf.Tensor) -> tf.Tensor:
        """The pixel with the largest |gradient| alone; several share the step equally."""
        size = tf.abs(gradient)
        largest = expand(tf.reduce_max(flat(size), axis=1), gradient)
        first = tf.where(size >= largest, tf.sign(gradient), tf.zeros_like(gradient))
        return tf.math.divide_no_nan(first, expand(tf.reduce_sum(flat(tf.abs(first)), 1), first))

    def dual_norm(self, gradient: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(flat(tf.abs(gradient)), axis=1)

    def to_hyperplane(self, x: tf.Tensor, normal: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
        return nearest_l1(x, normal, gap)

    def distance(self, x_adv: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(flat(tf.abs(x_adv - x)), axis=1)


def _exponential(keys, shape, dtype):
    # Of (0, 1]: the logarithm of 0 is infinite.
    return -tf.math.log(1.0 - keys.uniform(shape, dtype))


def _signed(length, keys):
    return tf.where(keys.uniform(tf.shape(length), length.dtype) >= 0.5, length, -length)
