"""Increasing functions of each number, and straight lines above and below them."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfrobust.bounds.arithmetic import Arithmetic
from tfrobust.bounds.interval import Interval, sum_rows
from tfrobust.bounds.operation import Operation

# TensorFlow's exponentials and logarithms are right to a few units in the last place; this is sixteen.
_FUNCTION_ERROR = 16.0
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclasses.dataclass(frozen=True)
class Activation(Operation):
    """An increasing function f of each number.

    Boxes go to (f(lower), f(upper)). In a box [l, u] a convex function lies below the chord over it and
    above its tangent at the middle, which for ReLU is 0 or x, whichever leaves less room. Another one
    lies between two parallels through its ends, with the least slope that it has in the box.

    Args:
        function: f.
        slope: its derivative, for convex functions; else a function of l and u to the least slope in
            between.
        is_convex: which of the two it is.
        is_exact: whether the network computes it without rounding, as ReLU.
        kink: the one place where it is not linear, or None.
        parts: size of the numbers of which the network takes a difference, where the function is smaller than
            those: 1 for exp(x) - 1, of which float32 has 0 at x = -1e-8.
    """

    function: Callable[[tf.Tensor], tf.Tensor]
    slope: Callable[..., tf.Tensor]
    is_convex: bool = True
    is_exact: bool = False
    kink: float | None = None
    parts: float = 0.0

    is_linear = False

    def bound(
        self, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[Interval, tf.Tensor | None]:
        (box,) = inputs
        result = Interval(self.function(box.lower), self.function(box.upper))
        if self.is_exact or not arithmetic.unit:
            return result, None
        size = result.magnitude + self.parts + arithmetic.unit
        return result, arithmetic.cut(result.magnitude, _FUNCTION_ERROR * arithmetic.unit * size)

    def relax(
        self, rows: tf.Tensor, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[list[tf.Tensor], tf.Tensor | float]:
        (box,) = inputs
        (low_slope, low), (high_slope, high) = self.find_lines(box)
        room = arithmetic.slack * (
            box.magnitude * (tf.abs(low_slope) + tf.abs(high_slope)) + tf.abs(low) + tf.abs(high)
        )
        positive, negative = tf.maximum(rows, 0.0), tf.minimum(rows, 0.0)
        slopes = positive * low_slope + negative * high_slope
        return [slopes], sum_rows(positive * (low - room) + negative * (high + room))

    def gains_from(self, box: Interval) -> tf.Tensor:
        if self.kink is None:
            return super().gains_from(box)
        return (box.lower < self.kink) & (box.upper > self.kink)

    def find_lines(
        self, box: Interval
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Slope and value at 0 of a line below f in the box, and of one above."""
        lower, upper = box
        f_lower, f_upper = self.function(lower), self.function(upper)
        if not self.is_convex:
            slope = self.slope(lower, upper)
            return (slope, f_lower - slope * lower), (slope, f_upper - slope * upper)
        middle = box.center
        tangent = self.slope(middle)
        width = upper - lower
        is_wide = width > 0.0
        chord = tf.where(is_wide, (f_upper - f_lower) / tf.where(is_wide, width, 1.0), tangent)
        # Rounded slopes may cross either end: the line begins at the higher one.
        above = tf.maximum(f_lower - chord * lower, f_upper - chord * upper)
        return (tangent, self.function(middle) - tangent * middle), (chord, above)


def relu(negative_slope: float = 0.0) -> Activation:
    """max(x, a x), for 0 <= a <= 1: ReLU and LeakyReLU."""

    def function(x):
        return tf.maximum(x, negative_slope * x)

    def slope(x):
        return tf.where(x > 0.0, tf.ones_like(x), negative_slope * tf.ones_like(x))

    return Activation(function, slope, is_exact=negative_slope == 0.0, kink=0.0)


def clip(least: float, most: float) -> Activation:
    """min(max(x, least), most): ReLU with a largest value, hard_tanh."""
    # As the network has them.
    least, most = float(np.float32(least)), float(np.float32(most))

    def slope(lower, upper):
        return tf.cast((lower >= least) & (upper <= most), lower.dtype)

    return Activation(lambda x: tf.clip_by_value(x, least, most), slope, False, is_exact=True)


def hard_sigmoid() -> Activation:
    """min(max(x / 6 + 1 / 2, 0), 1)."""

    def slope(lower, upper):
        return tf.cast((lower >= -3.0) & (upper <= 3.0), lower.dtype) / 6.0

    return Activation(lambda x: tf.clip_by_value(x / 6.0 + 0.5, 0.0, 1.0), slope, False, parts=1.0)


def exponential() -> Activation:
    """exp(x)."""
    return Activation(tf.exp, tf.exp)


def softplus() -> Activation:
    """log(1 + exp(x))."""
    return Activation(tf.math.softplus, tf.math.sigmoid)


def log_sigmoid() -> Activation:
    """-log(1 + exp(-x)); its slope falls everywhere."""
    return Activation(
        lambda x: -tf.math.softplus(-x), lambda low, high: tf.math.sigmoid(-high), False
    )


def elu(alpha: float = 1.0, scale: float = 1.0) -> Activation:
    """scale times x above 0, alpha (exp(x) - 1) below, for 0 <= alpha: ELU and SELU."""

    def function(x):
        return scale * tf.where(x > 0.0, x, alpha * tf.math.expm1(tf.minimum(x, 0.0)))

    def slope(x):
        return scale * tf.where(x > 0.0, tf.ones_like(x), alpha * tf.exp(tf.minimum(x, 0.0)))

    parts = scale * alpha
    if alpha <= 1.0:
        return Activation(function, slope, parts=parts)
    # Steeper below 0 than above: the slope rises to there, and is 1 behind it.
    return Activation(
        function, lambda low, high: tf.minimum(slope(low), slope(high)), False, parts=parts
    )


def selu() -> Activation:
    """ELU with the constants of self-normalising networks."""
    return elu(_SELU_ALPHA, _SELU_SCALE)


def softsign() -> Activation:
    """x / (1 + |x|); its slope falls on both sides of 0."""

    def at(x):
        return 1.0 / tf.square(1.0 + tf.abs(x))

    return Activation(tf.math.softsign, lambda low, high: tf.minimum(at(low), at(high)), False)


def sigmoid() -> Activation:
    """1 / (1 + exp(-x)); its slope falls on both sides of 0, so that an end of the box has the least."""

    def at(x):
        return tf.math.sigmoid(x) * tf.math.sigmoid(-x)

    return Activation(tf.math.sigmoid, lambda low, high: tf.minimum(at(low), at(high)), False)


def tanh() -> Activation:
    """The hyperbolic tangent; its slope falls on both sides of 0."""

    def at(x):
        return 1.0 / tf.square(tf.cosh(tf.clip_by_value(x, -300.0, 300.0)))

    return Activation(tf.tanh, lambda low, high: tf.minimum(at(low), at(high)), False)
