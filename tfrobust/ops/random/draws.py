"""TensorFlow's stateless draws, with the same numbers where XLA compiles them."""

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence

import tensorflow as tf

# The algorithm is named because the default one depends on the device.
ALGORITHM = "philox"

_thread = threading.local()

# Of a kind of numbers: unsigned integers of its size, bits of its fraction, its exponent's value for 1.0.
_FORMATS = {tf.float32: (tf.uint32, 23, 127), tf.float64: (tf.uint64, 52, 1023)}


@contextlib.contextmanager
def drawing_under_xla(compiles: bool = True) -> Iterator[None]:
    """What is drawn inside, while a function is traced, has under XLA the numbers that it has without.

    XLA makes the same random bits as TensorFlow's kernels but other fractions of them. Inside, the
    fractions are made of the bits by the kernels' own rule: uniform numbers are equal to the last bit,
    normal ones to rounding. Without XLA it would only take longer.

    Args:
        compiles: whether XLA compiles what is traced inside; if not, nothing changes.
    """
    former = getattr(_thread, "compiles", False)
    _thread.compiles = former or compiles
    try:
        yield
    finally:
        _thread.compiles = former


def fold_in(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    """Another seed, int32 (2,), for each whole number."""
    number = tf.cast(tf.convert_to_tensor(number), tf.int32)
    return tf.random.experimental.stateless_fold_in(seed, number, alg=ALGORITHM)


def draw_uniform(
    shape: Sequence[int] | tf.Tensor, seed: tf.Tensor, dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """Numbers in [0, 1) of a seed of shape (2,)."""
    if getattr(_thread, "compiles", False):
        return _take_fractions(shape, seed, tf.as_dtype(dtype))
    return tf.random.stateless_uniform(shape, seed, dtype=dtype, alg=ALGORITHM)


def draw_normal(
    shape: Sequence[int] | tf.Tensor, seed: tf.Tensor, dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """Standard normal numbers of a seed of shape (2,)."""
    if not getattr(_thread, "compiles", False):
        return tf.random.stateless_normal(shape, seed, dtype=dtype, alg=ALGORITHM)
    # Box and Muller: two fractions make two numbers.
    count = tf.reduce_prod(tf.convert_to_tensor(shape, tf.int32))
    pairs = tf.reshape(_take_fractions([count + count % 2], seed, tf.as_dtype(dtype)), [-1, 2])
    radius = tf.sqrt(-2.0 * tf.math.log(tf.maximum(pairs[:, 0], 1e-7)))
    angle = 2.0 * math.pi * pairs[:, 1]
    both = tf.stack([radius * tf.sin(angle), radius * tf.cos(angle)], axis=1)
    return tf.reshape(tf.reshape(both, [-1])[:count], shape)


def _take_fractions(shape, seed, dtype):
    words, size, exponent = _FORMATS[dtype]
    bits = tf.random.stateless_uniform(shape, seed, None, None, words, alg=ALGORITHM)
    if dtype == tf.float64:
        # The kernel takes the upper part of the fraction from the first of two words.
        upper = tf.bitwise.left_shift(bits & 0xFFFFF, tf.constant(32, tf.uint64))
        bits = upper | tf.bitwise.right_shift(bits, tf.constant(32, tf.uint64))
    one = tf.constant(exponent << size, words)
    return tf.bitcast((bits & tf.constant(2**size - 1, words)) | one, dtype) - 1.0
