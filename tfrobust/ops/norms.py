"""Norms per example."""

import tensorflow as tf


def flat(x):
    """`x` with all axes but the first made one: shape (b, n)."""
    return tf.reshape(x, [tf.shape(x)[0], -1])


def expand(values, x):
    """Numbers per example, shape (b,), shaped to multiply `x` of shape (b, ...)."""
    return tf.reshape(values, [-1] + [1] * (x.shape.rank - 1))


def l2(x):
    """Euclidean norm per example, shape (b,)."""
    return tf.sqrt(tf.reduce_sum(tf.square(flat(x)), axis=1))


def unit_l2(x):
    """`x` divided by its Euclidean norm per example; a zero stays a zero."""
    # Squares of numbers below 1e-19 underflow in float32, so the largest is made 1 first.
    largest = tf.reduce_max(tf.abs(flat(x)), axis=1)
    x = tf.math.divide_no_nan(x, expand(largest, x))
    return tf.math.divide_no_nan(x, expand(l2(x), x))
