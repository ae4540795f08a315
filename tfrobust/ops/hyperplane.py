"""The nearest point of a hyperplane that lies in the pixel box."""

import numpy as np
import tensorflow as tf

from tfrobust.ops import norms


def nearest_linf(x: tf.Tensor, normal: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
    """The smallest change in the maximum norm that reaches a hyperplane within the box [0, 1].

    delta_i = -sign(w_i) min(level, cap_i), with cap_i how far pixel i can move in that direction and
    the level such that sum |w_i| min(level, cap_i) = |gap|. Where the box does not reach the hyperplane,
    the result is its nearest corner.

    Args:
        x: points in [0, 1], (b, ...).
        normal: w, the hyperplane's normal, shape of `x`.
        gap: <w, x> minus the value that is wanted, (b,).

    Returns:
        delta, shape of `x`: x + delta lies in the box.

    Example:
    >>> x, normal = tf.constant([[0.5, 0.5]]), tf.constant([[1.0, 1.0]])
    >>> print(nearest_linf(x, normal, tf.constant([0.4])).numpy().round(3))
    [[-0.2 -0.2]]
    """
    w, amount, cap = _downhill(x, normal, gap)
    level = _level(cap, tf.abs(w), amount)
    delta = -tf.sign(w) * tf.minimum(level[:, None], cap)
    return tf.reshape(delta, tf.shape(x))


def nearest_l2(x: tf.Tensor, normal: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
    """The smallest change in the Euclidean norm that reaches a hyperplane within the box [0, 1].

    delta_i = -w_i min(level, cap_i / |w_i|), with the level such that sum w_i^2 min(level, cap_i / |w_i|)
    = |gap|. Arguments and result as for `nearest_linf`.

    Example:
    >>> x, normal = tf.constant([[0.5, 0.5]]), tf.constant([[3.0, 4.0]])
    >>> print(nearest_l2(x, normal, tf.constant([2.5])).numpy().round(3))
    [[-0.3 -0.4]]
    """
    w, amount, cap = _downhill(x, normal, gap)
    size = tf.abs(w)
    # Pixels with almost no weight would have to move very far.
    matters = size > 1e-8
    room = tf.where(matters, cap / tf.where(matters, size, tf.ones_like(size)), tf.zeros_like(cap))
    level = _level(room, tf.square(w), amount)
    delta = -w * tf.minimum(level[:, None], room)
    # cap / |w| times |w| may be rounded up.
    delta = tf.sign(delta) * tf.minimum(tf.abs(delta), cap)
    return tf.reshape(delta, tf.shape(x))


def nearest_l1(x: tf.Tensor, normal: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
    """The smallest change in the L1 norm that reaches a hyperplane within the box [0, 1].

    Pixels are moved as far as they can in the order of decreasing |w_i|, the last one only as far as
    it must: delta_i = -sign(w_i) min(cap_i, rest_i / |w_i|), with rest_i = |gap| minus the sum of
    |w_j| cap_j over all pixels j before i. Among equal |w_i| the first one moves first. Arguments and
    result as for `nearest_linf`.

    Example:
    >>> x, normal = tf.constant([[0.5, 0.5]]), tf.constant([[1.0, 2.0]])
    >>> print(nearest_l1(x, normal, tf.constant([0.4])).numpy().round(3))
    [[-0.  -0.2]]
    """
    w, amount, cap = _downhill(x, normal, gap)
    # An infinite amount would hide what is left of it.
    amount = tf.minimum(amount, amount.dtype.max)
    size, order = tf.math.top_k(tf.abs(w), tf.shape(w)[1])
    room = tf.gather(cap, order, batch_dims=1)
    rest = amount[:, None] - tf.cumsum(size * room, axis=1, exclusive=True)
    # A rest that is only rounding would move pixels with almost no weight as far as they can.
    rest = tf.where(rest > 1e-6 * amount[:, None], rest, tf.zeros_like(rest))
    length = tf.minimum(tf.math.divide_no_nan(rest, size), room)
    # Back to the order of the pixels.
    row = tf.broadcast_to(tf.range(tf.shape(w)[0])[:, None], tf.shape(w))
    length = tf.scatter_nd(tf.stack([row, order], axis=-1), length, tf.shape(w))
    return tf.reshape(-tf.sign(w) * length, tf.shape(x))


def _downhill(x, normal, gap):
    """Normals turned and scaled so that <w, .> has to fall, by how much, and how far each pixel can move."""
    x, w = norms.flat(x), norms.flat(normal)
    largest = tf.reduce_max(tf.abs(w), axis=1)
    sign = tf.where(gap >= 0.0, tf.ones_like(gap), -tf.ones_like(gap))
    w = tf.math.divide_no_nan(w * sign[:, None], largest[:, None])
    amount = tf.math.divide_no_nan(tf.abs(gap), largest)
    cap = tf.where(w > 0.0, x, tf.where(w < 0.0, 1.0 - x, tf.zeros_like(x)))
    return w, amount, cap


def _level(caps, weights, amount):
    """The level for which sum weights * min(level, caps) = amount; above all caps where there is none.

    Newton's method from 0: the sum is concave in the level, so that it comes from below and ends after
    as many steps as it crosses groups of caps, without sorting them.
    """
    zeros, products = tf.zeros_like(caps), weights * caps
    # What is gained after the last cap is rounding.
    least_gain = 4.0 * np.finfo(caps.dtype.as_numpy_dtype).eps

    def body(level, rising):
        over = caps > level[:, None]
        full = tf.reduce_sum(tf.where(over, zeros, products), axis=1)
        slope = tf.reduce_sum(tf.where(over, weights, zeros), axis=1)
        # Rounding may put it below where it was; where all are full there is no slope.
        new = tf.maximum(level, tf.math.divide_no_nan(amount - full, slope))
        return new, tf.reduce_any(new > level * (1.0 + least_gain))

    start = tf.zeros_like(amount), tf.constant(True)
    return tf.while_loop(lambda level, rising: rising, body, start)[0]
