"""The Linf norm: every pixel may change by at most epsilon."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.hyperplane import nearest_linf
from tfrobust.ops.norms import expand, flat
from tfrobust.ops.numbers import number
from tfrobust.ops.random.keys import Keys
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

    Example:
    >>> x = tf.constant([[[[0.5, 0.9]]]])
    >>> print(tfrobust.Linf(0.2).project(x + 0.3, x, 0.2).numpy().round(3))
    [[[[0.7 1. ]]]]
    """

    def check(self) -> None:
        number(self.epsilon, "epsilon", 0.0, 1.0, pixels=True)

    def project(self, candidate: tf.Tensor, x: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
        """The nearest point: clipped to the ball, then to the box."""
        return to_box(tf.clip_by_value(candidate, x - radius, x + radius))

    def random_point(self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys) -> tf.Tensor:
        return x + radius * (2.0 * keys.uniform(tf.shape(x), x.dtype) - 1.0)

    def random_surface_point(
        self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        """Uniform in the cube, stretched until one pixel touches the surface."""
        noise = 2.0 * keys.uniform(tf.shape(x), x.dtype) - 1.0
        largest = tf.reduce_max(flat(tf.abs(noise)), axis=1)
        return x + radius * noise / (expand(largest, x) + 1e-12)

    def steepest(self, gradient: tf.Tensor) -> tf.Tensor:
        return tf.sign(gradient)

    def dual_norm(self, gradient: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.abs(flat(gradient)), axis=1)

    def to_hyperplane(self, x: tf.Tensor, normal: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
        return nearest_linf(x, normal, gap)

    def distance(self, x_adv: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(flat(tf.abs(x_adv - x)), axis=1)
