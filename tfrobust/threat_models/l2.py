"""The L2 norm: the image as a whole may move by at most epsilon."""

import dataclasses

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops import norms
from tfrobust.ops.hyperplane import nearest_l2
from tfrobust.ops.numbers import number
from tfrobust.ops.random.keys import Keys
from tfrobust.spec import register
from tfrobust.threat_models.base import ThreatModel, to_box

PROJECTIONS = ("ball_first", "box_first")


@register
@dataclasses.dataclass(frozen=True)
class L2(ThreatModel):
    """Euclidean norm: the square root of the summed squares of x_adv - x is at most epsilon.

    Args:
        epsilon: radius in pixel units of [0, 1], for example "128/255"; it may exceed 1.
        projection: "ball_first" scales to the ball and then cuts to the box, as AutoAttack and most
            code does; "box_first" cuts to the box and then scales, as the L2 version of TRADES
            does. Both end inside ball and box; neither is the exact projection on their
            intersection.

    Raises:
        UserError: if epsilon is negative or the projection is unknown.

    Example:
    >>> x = tf.zeros((1, 1, 1, 2))
    >>> moved = tfrobust.L2(1.0).project(tf.constant([[[[0.6, 0.8]]]]), x, 0.5)
    >>> print(moved.numpy().round(3))
    [[[[0.3 0.4]]]]
    """

    projection: str = "ball_first"

    def check(self) -> None:
        number(self.epsilon, "epsilon", 0.0)
        if self.projection not in PROJECTIONS:
            raise UserError(
                f"`projection` must be one of {PROJECTIONS}. Received: {self.projection!r}."
            )

    def project(self, candidate: tf.Tensor, x: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
        if self.projection == "box_first":
            # The box is convex and holds x, so that scaling towards x stays in it.
            return x + _shorten(to_box(candidate) - x, radius)
        return to_box(x + _shorten(candidate - x, radius))

    def random_point(self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys) -> tf.Tensor:
        """Uniform in the ball of n dimensions: a normal direction, and the radius times U^(1/n)."""
        size = tf.cast(tf.shape(norms.flat(x))[1], x.dtype)
        length = tf.pow(keys.fold_in(1).uniform(tf.shape(x)[:1], x.dtype), 1.0 / size)
        direction = norms.unit_l2(keys.fold_in(0).normal(tf.shape(x), x.dtype))
        return x + radius * norms.expand(length, x) * direction

    def random_surface_point(
        self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        """Uniform on the sphere."""
        return x + radius * norms.unit_l2(keys.normal(tf.shape(x), x.dtype))

    def steepest(self, gradient: tf.Tensor) -> tf.Tensor:
        return norms.unit_l2(gradient)

    def dual_norm(self, gradient: tf.Tensor) -> tf.Tensor:
        return norms.l2(gradient)

    def to_hyperplane(self, x: tf.Tensor, normal: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
        return nearest_l2(x, normal, gap)

    def distance(self, x_adv: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return norms.l2(x_adv - x)


def _shorten(delta, radius):
    length = norms.l2(delta)
    factor = tf.where(length >= radius, radius / tf.maximum(length, 1e-30), tf.ones_like(length))
    return delta * norms.expand(factor, delta)
