"""The counter-based generator `squares32` (Widynski, 2020), and SplitMix64's finaliser, on uint64 tensors."""

import tensorflow as tf

GOLDEN = 0x9E3779B97F4A7C15


def shift(value: tf.Tensor, places: int) -> tf.Tensor:
    """`value` shifted to the right by `places` bits."""
    return tf.bitwise.right_shift(value, tf.constant(places, tf.uint64))


def mix(value: tf.Tensor) -> tf.Tensor:
    """SplitMix64's finaliser: a bijection of uint64 in which every bit depends on all."""
    for places, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = tf.bitwise.bitwise_xor(value, shift(value, places))
        value *= tf.constant(factor, tf.uint64)
    return tf.bitwise.bitwise_xor(value, shift(value, 31))


def draw_squares(counter: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """32 random bits, in uint64, for each counter and key: four rounds of squaring and taking the middle."""
    y = counter * key
    z = y + key
    x = y
    for addend in (y, z, y):
        x = _swap_halves(x * x + addend)
    return shift(x * x + z, 32)


def _swap_halves(value):
    left = tf.bitwise.left_shift(value, tf.constant(32, tf.uint64))
    return tf.bitwise.bitwise_or(left, shift(value, 32))
