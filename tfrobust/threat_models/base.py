"""What an adversary may do to an image."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.numbers import number
from tfrobust.spec import Spec

RELATIVE_SLACK, ABSOLUTE_SLACK = 1e-6, 1e-7


@dataclasses.dataclass(frozen=True)
class ThreatModel(Spec):
    """All images within `epsilon` of the clean one, in some norm, and within the pixel box [0, 1].

    Args:
        epsilon: radius in pixel units of [0, 1]: a number, or as the field writes it, "8/255".
    """

    epsilon: float | str

    def radius(self, scale=1.0):
        """The radius, a number; `scale` in [0, 1], possibly a tensor, is for ramps."""
        return number(self.epsilon, "epsilon") * scale

    def project(self, candidate, x, radius):
        """A point of the set around `x` near `candidate`; shape of `x`."""
        raise NotImplementedError

    def random_point(self, x, radius, keys):
        """A point drawn uniformly from the ball around `x`, not yet cut to the pixel box."""
        raise NotImplementedError

    def random_surface_point(self, x, radius, keys):
        """A random point at distance `radius` from `x`, not yet cut to the pixel box."""
        raise NotImplementedError

    def steepest(self, gradient):
        """The direction of length one, in this norm, along which `gradient` rises fastest."""
        raise NotImplementedError

    def dual_norm(self, gradient):
        """The largest gain of a linear function within distance one, without the box, (b,)."""
        raise NotImplementedError

    def to_hyperplane(self, x, normal, gap):
        """The smallest step from `x`, in this norm and in the pixel box, that lowers <normal, .> by `gap`.

        Args:
            x: points in [0, 1], (b, h, w, c).
            normal: shape of `x`.
            gap: (b,), of any sign.

        Returns:
            Shape of `x`; to the box's nearest corner where the box does not reach that far.
        """
        raise NotImplementedError

    def distance(self, x_adv, x):
        """How far `x_adv` is from `x`, shape (b,)."""
        raise NotImplementedError

    def admits(self, distance, radius):
        """Whether a `distance` is at most `radius`, but for what float32 rounds, shape of `distance`."""
        return distance <= radius * (1.0 + RELATIVE_SLACK) + ABSOLUTE_SLACK

    def contains(self, x_adv, x, radius):
        """Which images lie in the ball around the clean ones, (b,); every attack and evaluation asks here.

            distance(x_adv, x) <= radius (1 + 1e-6) + 1e-7

        The slack is for rounding in float32. The pixel box has none: it is a comparison with 0 and 1.

        Args:
            x_adv: images, (b, h, w, c).
            x: clean images, (b, h, w, c).
            radius: number or scalar tensor in pixel units, see `radius`.
        """
        return self.admits(self.distance(x_adv, x), radius)


def to_box(x):
    """Pixels cut to [0, 1]."""
    return tf.clip_by_value(x, 0.0, 1.0)
