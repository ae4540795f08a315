"""Every pixel may change by at most epsilon."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.hyperplane import nearest_linf
from tfrobust.ops.norms import expand, flat
from tfrobust.ops.numbers import number
from tfrobust.spec import register
from tfrobust.threat_models.base import ThreatModel, to_box


@register
@dataclasses.dataclass(frozen=True)
class Linf(ThreatModel):
    """Maximum norm: |x_adv - x| <= epsilon in every pixel and channel, and x_adv in [0, 1].

    Args:
        epsilon: radius in pixel units of [0, 1], between 0 and 1, for example "8/255".

    Raises:
        UserError: if epsilon lies outside [0, 1].
    """

    def check(self):
        number(self.epsilon, "epsilon", 0.0, 1.0, pixels=True)

    def project(self, candidate, x, radius):
        """The nearest point: clipped to the ball, then to the box."""
        return to_box(tf.clip_by_value(candidate, x - radius, x + radius))

    def random_point(self, x, radius, keys):
        return x + radius * (2.0 * keys.uniform(tf.shape(x), x.dtype) - 1.0)

    def random_surface_point(self, x, radius, keys):
        """Uniform in the cube, stretched until one pixel touches the surface."""
        noise = 2.0 * keys.uniform(tf.shape(x), x.dtype) - 1.0
        largest = tf.reduce_max(flat(tf.abs(noise)), axis=1)
        return x + radius * noise / (expand(largest, x) + 1e-12)

    def steepest(self, gradient):
        return tf.sign(gradient)

    def dual_norm(self, gradient):
        return tf.reduce_sum(tf.abs(flat(gradient)), axis=1)

    def to_hyperplane(self, x, normal, gap):
        return nearest_linf(x, normal, gap)

    def distance(self, x_adv, x):
        return tf.reduce_max(flat(tf.abs(x_adv - x)), axis=1)
