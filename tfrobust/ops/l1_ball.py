"""The nearest point of an L1 ball that lies in the pixel box."""

import numpy as np
import tensorflow as tf

from tfrobust.ops import norms


def nearest_in_l1_ball(candidate: tf.Tensor, x: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
    """The exact Euclidean projection on the L1 ball around `x` and the box [0, 1] together.

    delta_i = sign(d_i) min(max(|d_i| - level, 0), cap_i), with d = candidate - x, cap_i how far
    pixel i can move in that direction, and the level, at least 0, for which sum |delta_i| = radius; level 0
    where the box alone leaves no more than that. These are the Kuhn-Tucker conditions.

    Pixels are rounded towards `x`, since the distance of an image adds up its rounding errors.

    Args:
        candidate: any points, (b, ...).
        x: points in [0, 1], shape of `candidate`.
        radius: of the ball, at least 0, a scalar or one for each point, (b,).

    Returns:
        Shape of `x`.

    Example:
    >>> x, far = tf.zeros((1, 2)), tf.constant([[0.9, 0.7]])
    >>> print(nearest_in_l1_ball(far, x, 1.0).numpy().round(3))
    [[0.6 0.4]]
    """
    center = norms.flat(x)
    step = norms.flat(candidate) - center
    size = tf.abs(step)
    cap = tf.where(step > 0.0, 1.0 - center, tf.where(step < 0.0, center, tf.zeros_like(center)))
    length = _between(size - _level(size, cap, radius)[:, None], cap)
    # The level is as exact as its floating-point numbers allow: the rest is scaled away.
    total = tf.reduce_sum(length, axis=1)
    factor = tf.where(total >= radius, radius / tf.maximum(total, 1e-30), tf.ones_like(total))
    length *= factor[:, None]
    found = tf.clip_by_value(center + tf.sign(step) * length, 0.0, 1.0)
    found = _round_towards(center, found, length)
    return tf.reshape(found, tf.shape(x))


def _between(value, cap):
    return tf.minimum(tf.maximum(value, 0.0), cap)


def _level(size, cap, radius):
    """The level, (b,): zero, or where sum min(max(size - level, 0), cap) falls to the radius.

    The sum falls in straight pieces that bend both ways. Newton's method finds its piece without
    sorting; where a step of it did not halve what is missing, the interval is halved.
    """
    tolerance = 8.0 * _epsilon(size) * radius

    def body(low, high, level, former, going):
        rest = size - level[:, None]
        excess = tf.reduce_sum(_between(rest, cap), axis=1) - radius
        slope = tf.reduce_sum(tf.cast((rest > 0.0) & (rest < cap), size.dtype), axis=1)
        low, high = tf.where(excess > 0.0, level, low), tf.where(excess > 0.0, high, level)
        newton = level + tf.math.divide_no_nan(excess, slope)
        use = (2.0 * tf.abs(excess) <= former) & (newton > low) & (newton < high)
        new = tf.where(use, newton, low + (high - low) / 2.0)
        over = (tf.abs(excess) <= tolerance) | (new <= low) | (new >= high)
        # A NaN passes no comparison, and leaves an empty interval.
        going &= ~over
        return low, high, tf.where(going, new, level), tf.abs(excess), going

    zeros = tf.zeros_like(size[:, 0])
    start = zeros, tf.reduce_max(size, axis=1), zeros, zeros + size.dtype.max, zeros < 1.0
    return tf.while_loop(lambda *state: tf.reduce_any(state[-1]), body, start)[2]


def _round_towards(center, found, length):
    """`found`, one unit in the last place back where it is further from `center` than `length`."""
    distance = tf.abs(found - center)
    # Of numbers up to 1.
    back = tf.sign(found - center) * tf.minimum(distance, _epsilon(found) / 2.0)
    return tf.where(distance > length, found - back, found)


def _epsilon(x):
    """The distance from 1 to the next number of this type."""
    return float(np.finfo(x.dtype.as_numpy_dtype).eps)
