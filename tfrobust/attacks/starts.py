"""Where a search begins."""

import dataclasses

import tensorflow as tf

from tfrobust.ops import norms
from tfrobust.ops.numbers import parse_number
from tfrobust.spec import Spec, register
from tfrobust.threat_models.base import to_box


@dataclasses.dataclass(frozen=True)
class Start(Spec):
    """The first iterate of an attack."""

    @property
    def is_clean(self):
        """Whether the search begins at the clean image itself."""
        return False

    def __call__(self, threat_model, x, radius, keys):
        """The first iterate, shape of `x`."""
        raise NotImplementedError


@register
@dataclasses.dataclass(frozen=True)
class Clean(Start):
    """The clean image. Divergences to the clean prediction have no gradient here."""

    @property
    def is_clean(self):
        return True

    def __call__(self, threat_model, x, radius, keys):
        return x


@register
@dataclasses.dataclass(frozen=True)
class Uniform(Start):
    """A point drawn uniformly from the ball.

    Args:
        clip: cut the start to the pixel box before the first gradient, as most codes do; TRADES's
            and RAT's evaluation does not.
    """

    clip: bool = True

    def __call__(self, threat_model, x, radius, keys):
        point = threat_model.random_point(x, radius, keys)
        return to_box(point) if self.clip else point


@register
@dataclasses.dataclass(frozen=True)
class Radial(Start):
    """A Gaussian direction of length radius * U(0, 1): denser at the centre than `Uniform`, for L2."""

    def __call__(self, threat_model, x, radius, keys):
        length = keys.fold_in(1).uniform(tf.shape(x)[:1], x.dtype)
        direction = norms.unit_l2(keys.fold_in(0).normal(tf.shape(x), x.dtype))
        return to_box(x + radius * norms.expand(length, x) * direction)


@register
@dataclasses.dataclass(frozen=True)
class Gaussian(Start):
    """The clean image plus a little normal noise, the start of TRADES and its family.

    Args:
        stddev: standard deviation in pixel units, above 0.
        clip: cut the start to the pixel box before the first gradient; TRADES does not.
    """

    stddev: float = 0.001
    clip: bool = False

    def check(self):
        self.store(stddev=parse_number(self.stddev, "stddev", 1e-12))

    def __call__(self, threat_model, x, radius, keys):
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
    """

    size: float | str = 0.5

    def check(self):
        self.store(size=parse_number(self.size, "size", 0.0, 1.0))

    def __call__(self, threat_model, x, radius, keys):
        positive = keys.uniform(tf.shape(x), x.dtype) >= 0.5
        step = self.size * radius
        return to_box(tf.where(positive, x + step, x - step))
