"""Where a search begins."""

import dataclasses

import tensorflow as tf

from tfrobust.ops import norms
from tfrobust.ops.numbers import parse_number
from tfrobust.ops.random.keys import Keys
from tfrobust.spec import Spec, register
from tfrobust.threat_models.base import ThreatModel, to_box


@dataclasses.dataclass(frozen=True)
class Start(Spec):
    """The first iterate of an attack.

    Example:
    >>> isinstance(tfrobust.Clean(), tfrobust.attacks.Start)
    True
    """

    @property
    def is_clean(self) -> bool:
        """Whether the search begins at the clean image itself."""
        return False

    def reach(self, radius: float) -> float:
        """A bound on how far from the clean image it begins; a little noise does not count."""
        return radius

    def __call__(
        self, threat_model: ThreatModel, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        """The first iterate, shape of `x`."""
        raise NotImplementedError


@register
@dataclasses.dataclass(frozen=True)
class Clean(Start):
    """The clean image. Divergences to the clean prediction have no gradient here.

    Example:
    >>> threat_model, keys = tfrobust.Linf(0.1), tfrobust.ops.random.keys.keys_of(0)
    >>> x = tf.fill((1, 2, 2, 1), 0.5)
    >>> bool(tf.reduce_all(tfrobust.Clean()(threat_model, x, 0.1, keys) == x))
    True
    """

    @property
    def is_clean(self) -> bool:
        return True

    def reach(self, radius: float) -> float:
        return 0.0

    def __call__(
        self, threat_model: ThreatModel, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        return x


@register
@dataclasses.dataclass(frozen=True)
class Uniform(Start):
    """A point drawn uniformly from the ball.

    Args:
        clip: clip the start to the pixel box before the first gradient, as most codes do; TRADES's
            and RAT's evaluation does not.

    Example:
    >>> threat_model, keys = tfrobust.Linf(0.1), tfrobust.ops.random.keys.keys_of(0)
    >>> x = tf.fill((1, 2, 2, 1), 0.5)
    >>> start = tfrobust.Uniform()(threat_model, x, 0.1, keys)
    >>> bool(threat_model.contains(start, x, 0.1)[0])
    True
    """

    clip: bool = True

    def __call__(
        self, threat_model: ThreatModel, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        point = threat_model.random_point(x, radius, keys)
        return to_box(point) if self.clip else point


@register
@dataclasses.dataclass(frozen=True)
class Radial(Start):
    """A Gaussian direction of length radius * U(0, 1): denser at the centre than `Uniform`, for L2.

    Example:
    >>> threat_model, keys = tfrobust.L2(0.1), tfrobust.ops.random.keys.keys_of(0)
    >>> x = tf.fill((1, 2, 2, 1), 0.5)
    >>> start = tfrobust.attacks.Radial()(threat_model, x, 0.1, keys)
    >>> bool(threat_model.contains(start, x, 0.1)[0])
    True
    """

    def __call__(
        self, threat_model: ThreatModel, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        length = keys.fold_in(1).uniform(tf.shape(x)[:1], x.dtype)
        direction = norms.unit_l2(keys.fold_in(0).normal(tf.shape(x), x.dtype))
        return to_box(x + radius * norms.expand(length, x) * direction)


@register
@dataclasses.dataclass(frozen=True)
class Gaussian(Start):
    """The clean image plus a little normal noise, the start of TRADES and its family.

    Args:
        stddev: standard deviation in pixel units, above 0.
        clip: clip the start to the pixel box before the first gradient; TRADES does not.

    Example:
    >>> threat_model, keys = tfrobust.Linf(0.1), tfrobust.ops.random.keys.keys_of(0)
    >>> x = tf.fill((1, 2, 2, 1), 0.5)
    >>> start = tfrobust.Gaussian(0.001)(threat_model, x, 0.1, keys)
    >>> bool(tf.reduce_max(tf.abs(start - x)) < 0.01)
    True
    """

    stddev: float = 0.001
    clip: bool = False

    def check(self) -> None:
        self.store(stddev=parse_number(self.stddev, "stddev", 1e-12))

    def reach(self, radius: float) -> float:
        return 0.0

    def __call__(
        self, threat_model: ThreatModel, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        point = x + self.stddev * keys.normal(tf.shape(x), x.dtype)
        return to_box(point) if self.clip else point


@register
@dataclasses.dataclass(frozen=True)
class Corner(Start):
    """A random corner of a smaller cube, then cut to the pixel box: every pixel moves by the same amount.

    x + size * radius * s, s = -1 or 1 with equal chances for every pixel. The start of GAT.

    Args:
        size: half the cube's edge in units of the radius, in [0, 1]; 1/2 for GAT on CIFAR-10, 1 on
            MNIST.

    Example:
    >>> threat_model, keys = tfrobust.Linf(0.1), tfrobust.ops.random.keys.keys_of(0)
    >>> x = tf.fill((1, 2, 2, 1), 0.5)
    >>> start = tfrobust.attacks.Corner(0.5)(threat_model, x, 0.1, keys)
    >>> print(tf.abs(start - x).numpy().round(3).ravel())
    [0.05 0.05 0.05 0.05]
    """

    size: float | str = 0.5

    def check(self) -> None:
        self.store(size=parse_number(self.size, "size", 0.0, 1.0))

    def __call__(
        self, threat_model: ThreatModel, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys
    ) -> tf.Tensor:
        positive = keys.uniform(tf.shape(x), x.dtype) >= 0.5
        step = float(self.size) * radius
        return to_box(tf.where(positive, x + step, x - step))
