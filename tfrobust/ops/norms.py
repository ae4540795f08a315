"""Norms per example."""

import tensorflow as tf


def flat(x: tf.Tensor) -> tf.Tensor:
    """`x` with all axes but the first made one: shape (b, n).

    Example:
    >>> flat(tf.zeros((2, 4, 4, 3))).shape
    TensorShape([2, 48])
    """
    return tf.reshape(x, [tf.shape(x)[0], -1])


def expand(values: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Numbers per example, shape (b,), shaped to multiply `x` of shape (b, ...).

    Example:
    >>> expand(tf.zeros(2), tf.zeros((2, 4, 4, 3))).shape
    TensorShape([2, 1, 1, 1])
    """
    return tf.reshape(values, [-1] + [1] * (x.shape.rank - 1))


def l2(x: tf.Tensor) -> tf.Tensor:
    """Euclidean norm per example, shape (b,).

    Example:
    >>> l2(tf.constant([[3.0, 4.0]])).numpy().tolist()
    [5.0]
    """
    return tf.sqrt(tf.reduce_sum(tf.square(flat(x)), axis=1))


def unit_l2(x: tf.Tensor) -> tf.Tensor:
    """`x` divided by its Euclidean norm per example; a zero stays a zero.

    Example:
    >>> print(unit_l2(tf.constant([[3.0, 4.0], [0.0, 0.0]])).numpy().round(3))
    [[0.6 0.8]
     [0.  0. ]]
    """
    # Squares of numbers below 1e-19 underflow in float32, so the largest is made 1 first.
    largest = tf.reduce_max(tf.abs(flat(x)), axis=1)
    x = tf.math.divide_no_nan(x, expand(largest, x))
    return tf.math.divide_no_nan(x, expand(l2(x), x))
