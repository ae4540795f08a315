"""The base of all threat models: what an adversary may do to an image."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.numbers import parse_number
from tfrobust.ops.random.keys import Keys
from tfrobust.spec import Spec, in_words, tell_value


@dataclasses.dataclass(frozen=True)
class ThreatModel(Spec):
    """All images within `epsilon` of the clean one, in some norm, and within the pixel box [0, 1].

    Args:
        epsilon: radius in pixel units of [0, 1]: a number, or as the field writes it, "8/255".

    Example:
    >>> threat_model = tfrobust.Linf("8/255")
    >>> x = tf.zeros((1, 2, 2, 3))
    >>> far = threat_model.project(x + 0.5, x, threat_model.radius())
    >>> bool(threat_model.contains(far, x, threat_model.radius())[0])
    True
    """

    epsilon: float | str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.store(epsilon=parse_number(self.epsilon, "epsilon", 0.0))

    def describe(self) -> str:
        """Norm and radius, "Linf 8/255"."""
        name = f"{self.short_name or type(self).__name__} {tell_value(self.epsilon)}"
        return in_words(name, self.list_settings(untold=("epsilon",)))

    def radius(self, scale: tf.Tensor | float = 1.0) -> tf.Tensor | float:
        """The radius, a number; `scale` in [0, 1], possibly a tensor, is for ramps."""
        return float(self.epsilon) * scale

    def project(self, candidate: tf.Tensor, x: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
        """A point of the set around `x` near `candidate`; shape of `x`."""
        raise NotImplementedError

    def random_point(self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys) -> tf.Tensor:
        """A point drawn uniformly from the ball around `x`, not yet cut to the pixel box."""
        raise NotImplementedError

    def random_surface_point(
        self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        """A random point at distance `radius` from `x`, not yet cut to the pixel box."""
        raise NotImplementedError

    def steepest(self, gradient: tf.Tensor) -> tf.Tensor:
        """The direction of length one, in this norm, along which `gradient` rises fastest."""
        raise NotImplementedError

    def dual_norm(self, gradient: tf.Tensor) -> tf.Tensor:
        """The largest gain of a linear function within distance one, without the box, (b,)."""
        raise NotImplementedError

    def to_hyperplane(self, x: tf.Tensor, normal: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
        """The smallest step from `x`, in this norm and in the pixel box, that lowers <normal, .> by `gap`.

        Args:
            x: points in [0, 1], (b, h, w, c).
            normal: shape of `x`.
            gap: (b,), of any sign.

        Returns:
            Shape of `x`; Where the box does not reach the hyperplane, the step leads to its nearest corner.
        """
        raise NotImplementedError

    def distance(self, x_adv: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """How far `x_adv` is from `x`, shape (b,)."""
        raise NotImplementedError

    def contains(self, candidate: tf.Tensor, x: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
        """Whether `candidate` lies in the ball of `radius` around `x`, up to rounding, boolean (b,)."""
        return is_within(self.distance(candidate, x), radius)


def is_within(distance: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
    """Whether distances are at most the radius, with a relative slack of 1e-6 and an absolute one of 1e-7."""
    return distance <= radius * (1.0 + 1e-6) + 1e-7


def to_box(x: tf.Tensor) -> tf.Tensor:
    """Clips pixels to [0, 1]."""
    return tf.clip_by_value(x, 0.0, 1.0)
