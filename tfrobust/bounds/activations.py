"""Increasing functions of each number, and straight lines above and below them."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfrobust.bounds.arithmetic import Arithmetic
from tfrobust.bounds.interval import Interval, sum_rows
from tfrobust.bounds.operation import Operation

# TensorFlow's exponentials and logarithms are right to a few units in the last place; this is sixteen.
_FUNCTION_ERROR = 16.0


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
    """

    function: Callable[[tf.Tensor], tf.Tensor]
    slope: Callable[..., tf.Tensor]
    is_convex: bool = True
    is_exact: bool = False
    kink: float | None = None

    is_linear = False

    def bound(
        self, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[Interval, tf.Tensor | None]:
        (box,) = inputs
        result = Interval(self.function(box.lower), self.function(box.upper))
        if self.is_exact or not arithmetic.unit:
            return result, None
        return result, _FUNCTION_ERROR * arithmetic.unit * (result.magnitude + arithmetic.unit)

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


def clipped_relu(most: float) -> Activation:
    """min(max(x, 0), most)."""

    def slope(lower, upper):
        inside = (lower >= 0.0) & (upper <= most)
        return tf.cast(inside, lower.dtype)

    return Activation(lambda x: tf.clip_by_value(x, 0.0, most), slope, False, is_exact=True)


def softplus() -> Activation:
    """log(1 + exp(x))."""
    return Activation(tf.math.softplus, tf.math.sigmoid)


def elu(alpha: float = 1.0) -> Activation:
    """x above 0, alpha (exp(x) - 1) below, for 0 <= alpha <= 1."""

    def function(x):
        return tf.where(x > 0.0, x, alpha * tf.math.expm1(tf.minimum(x, 0.0)))

    def slope(x):
        return tf.where(x > 0.0, tf.ones_like(x), alpha * tf.exp(tf.minimum(x, 0.0)))

    return Activation(function, slope)


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
