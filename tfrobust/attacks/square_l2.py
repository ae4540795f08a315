"""Proposals of the Square attack in L2."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.square_mass import MovedMass, kernel
from tfrobust.ops import norms
from tfrobust.threat_models.base import to_box


class L2Squares(MovedMass):
    """Patterns and masses in the Euclidean norm; the perturbation has length epsilon before the box."""

    @staticmethod
    def kernel(side: int) -> np.ndarray:
        return kernel(side, 2, 2)

    @staticmethod
    def move_mass(
        delta: tf.Tensor,
        pattern: tf.Tensor,
        first: tf.Tensor,
        second: tf.Tensor,
        radius: tf.Tensor | float,
    ) -> tf.Tensor:
        zero = tf.zeros_like(delta)
        inside = tf.where(first, delta, zero)
        moved = pattern + inside / (1e-12 + _length(inside))
        both = _length(tf.where(first | second, delta, zero))
        slack = tf.maximum(radius**2 - tf.square(norms.l2(delta)), 0.0) / delta.shape[-1]
        mass = tf.sqrt(norms.expand(slack, delta) + tf.square(both))
        return moved / (1e-12 + _length(moved)) * mass

    @staticmethod
    def bring_inside(x: tf.Tensor, delta: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
        return to_box(x + radius * delta / (norms.expand(norms.l2(delta), x) + 1e-12))


def _length(delta):
    """Per channel: the Euclidean length over all pixels, (b, 1, 1, c)."""
    return tf.sqrt(tf.reduce_sum(tf.square(delta), axis=[1, 2], keepdims=True))
