"""What an adversary may do to an image."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.numbers import parse_number
from tfrobust.spec import Spec


@dataclasses.dataclass(frozen=True)
class ThreatModel(Spec):
    """All images within `epsilon` of the clean one, in some norm, and within the pixel box [0, 1].

    Args:
        epsilon: radius in pixel units of [0, 1]: a number, or as the field writes it, "8/255".
    """

    epsilon: float | str

    def __post_init__(self):
        super().__post_init__()
        self.store(epsilon=parse_number(self.epsilon, "epsilon", 0.0))

    def radius(self, scale=1.0):
        """The radius, a number; `scale` in [0, 1], possibly a tensor, is for ramps."""
        return self.epsilon * scale

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

    def contains(self, candidate, x, radius):
        """Whether `candidate` lies in the ball of `radius` around `x`, up to rounding, boolean (b,)."""
        return is_within(self.distance(candidate, x), radius)


def is_within(distance, radius):
    """Whether distances are at most the radius, with a relative slack of 1e-6 and an absolute one of 1e-7."""
    return distance <= radius * (1.0 + 1e-6) + 1e-7


def to_box(x):
    """Pixels cut to [0, 1]."""
    return tf.clip_by_value(x, 0.0, 1.0)
