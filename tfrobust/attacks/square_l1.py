"""Proposals of the Square attack in L1."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.square_mass import MovedMass, kernel
from tfrobust.ops import norms
from tfrobust.ops.l1_ball import nearest_in_l1_ball
from tfrobust.threat_models.base import to_box


class L1Squares(MovedMass):
    """Patterns and masses in the sum norm; each image is projected into ball and box."""

    @staticmethod
    def kernel(side: int) -> np.ndarray:
        return kernel(side, 4, 1)

    @staticmethod
    def move_mass(
        delta: tf.Tensor,
        pattern: tf.Tensor,
        first: tf.Tensor,
        second: tf.Tensor,
        radius: tf.Tensor | float,
    ) -> tf.Tensor:
        zero, channels = tf.zeros_like(delta), delta.shape[-1]
        inside = tf.where(first, delta, zero)
        moved = pattern + inside / (1e-12 + _length(inside))
        both = _length(tf.where(first | second, delta, zero))
        slack = tf.maximum(radius - tf.reduce_sum(norms.flat(tf.abs(delta)), axis=1), 0.0)
        # As in its code, `channels` times what both squares and the slack hold; the projection cuts.
        mass = norms.expand(slack, delta) + channels * both
        return moved / (1e-12 + _length(moved)) * mass

    @staticmethod
    def bring_inside(x: tf.Tensor, delta: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
        # A little less than the radius, so that sums in another order stay within it.
        return to_box(nearest_in_l1_ball(x + delta, x, radius * (1.0 - 1e-6)))


def _length(delta):
    """Per channel: the sum of sizes over all pixels, (b, 1, 1, c)."""
    return tf.reduce_sum(tf.abs(delta), axis=[1, 2], keepdims=True)
