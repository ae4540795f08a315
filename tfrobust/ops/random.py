"""Random numbers that belong to an example, not to a batch, a device or a call.

`BatchKeys` is for training: an example is known by its row in the global batch, so that one replica
and two draw the same noise. `ExampleKeys` is for evaluation: an example is known by its own seed,
so that the batch size and the order do not matter.
"""

import numbers
from typing import NamedTuple

import tensorflow as tf

from tfrobust.errors import UserError

# The algorithm is named because the default one depends on the device.
ALGORITHM = "philox"


def _fold_in(seed, number):
    number = tf.cast(tf.convert_to_tensor(number), tf.int32)
    return tf.random.experimental.stateless_fold_in(seed, number, alg=ALGORITHM)


def _uniform(shape, seed, dtype):
    return tf.random.stateless_uniform(shape, seed, dtype=dtype, alg=ALGORITHM)


def _normal(shape, seed, dtype):
    return tf.random.stateless_normal(shape, seed, dtype=dtype, alg=ALGORITHM)


class BatchKeys(NamedTuple):
    """One seed for a global batch, of which this replica holds the rows from `offset` on.

    Attributes:
        seed: int32, shape (2,).
        offset: whole number, rows of the global batch that other replicas hold before ours.
    """

    seed: tf.Tensor
    offset: int | tf.Tensor = 0

    def fold_in(self, number):
        """Keys for another purpose: independent of these, the same for the same `number`."""
        return BatchKeys(_fold_in(self.seed, number), self.offset)

    def uniform(self, shape, dtype=tf.float32):
        """Numbers in [0, 1) of `shape`, whose first axis is this replica's batch."""
        return self._rows(_uniform, shape, dtype)

    def normal(self, shape, dtype=tf.float32):
        """Standard normal numbers of `shape`, whose first axis is this replica's batch."""
        return self._rows(_normal, shape, dtype)

    def _rows(self, draw, shape, dtype):
        if isinstance(self.offset, int) and self.offset == 0:
            return draw(shape, self.seed, dtype)
        # A larger draw begins with the smaller one: every replica cuts its own rows out of it.
        shape = tf.convert_to_tensor(shape)
        whole = tf.concat([shape[:1] + tf.cast(self.offset, shape.dtype), shape[1:]], axis=0)
        return draw(whole, self.seed, dtype)[self.offset :]


class ExampleKeys(NamedTuple):
    """A seed of its own for every example.

    Attributes:
        seeds: int32, shape (b, 2).
    """

    seeds: tf.Tensor

    def fold_in(self, number):
        """Keys for another purpose: independent of these, the same for the same `number`."""
        return ExampleKeys(tf.map_fn(lambda seed: _fold_in(seed, number), self.seeds))

    def uniform(self, shape, dtype=tf.float32):
        """Numbers in [0, 1) of `shape`; row i depends on seed i only."""
        return self._rows(_uniform, shape, dtype)

    def normal(self, shape, dtype=tf.float32):
        """Standard normal numbers of `shape`; row i depends on seed i only."""
        return self._rows(_normal, shape, dtype)

    def _rows(self, draw, shape, dtype):
        row = tf.convert_to_tensor(shape)[1:]
        rows = tf.map_fn(lambda seed: draw(row, seed, dtype), self.seeds, fn_output_signature=dtype)
        return tf.reshape(rows, shape)


def checked_seed(seed):
    """`seed` as a Python int if it is a whole number in [0, 2**62), otherwise raises `UserError`."""
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**62:
        raise UserError(
            f"`seed` must be a whole number of at least 0 and below 2**62. Received: seed={seed!r}."
        )
    return int(seed)


def seed_pair(seed):
    """The int32 pair, shape (2,), that stands for a run's whole-number seed."""
    seed = checked_seed(seed)
    return tf.constant([seed & 0x7FFFFFFF, seed >> 31], tf.int32)


def keys_of(seed):
    """Keys from whatever a caller has: a whole number, a seed of shape (2,), seeds of shape (b, 2), keys."""
    if isinstance(seed, (BatchKeys, ExampleKeys)):
        return seed
    if isinstance(seed, numbers.Number) or seed is None:
        return BatchKeys(seed_pair(seed))
    seed = tf.convert_to_tensor(seed)
    if seed.dtype.is_integer and seed.shape.rank == 1 and seed.shape[0] == 2:
        return BatchKeys(tf.cast(seed, tf.int32))
    if seed.dtype.is_integer and seed.shape.rank == 2 and seed.shape[1] == 2:
        return ExampleKeys(tf.cast(seed, tf.int32))
    raise UserError(
        "`seed` must be a whole number, an integer tensor of shape (2,) or one of shape (b, 2). "
        f"Received: dtype {seed.dtype.name}, shape {seed.shape}."
    )


def content_keys(seed, x):
    """Keys that name an example by its pixels: the same image gets the same noise in any batch.

    For evaluation inside Keras, where no example has a number. The key is a linear hash of the
    pixels' bits with odd weights, modulo 2**64; equal images share their noise, which is harmless.

    Args:
        seed: whole number or int32 tensor of shape (2,).
        x: float32 images, shape (b, ...).

    Returns:
        `ExampleKeys` for b examples.
    """
    bits = tf.bitcast(tf.cast(tf.reshape(x, [tf.shape(x)[0], -1]), tf.float32), tf.int32)
    bits = tf.cast(bits, tf.int64)
    # Weyl sequence of the golden ratio; integers wrap around modulo 2**64.
    positions = tf.range(1, tf.shape(bits, tf.int64)[1] + 1, dtype=tf.int64)
    weights = tf.bitwise.bitwise_or(positions * -7046029254386353131, tf.ones([], tf.int64))
    names = tf.reduce_sum(bits * weights, axis=1)
    halves = tf.bitcast(names, tf.int32)
    seed = keys_of(seed).seed
    return ExampleKeys(tf.map_fn(lambda half: _fold_in(_fold_in(seed, half[0]), half[1]), halves))
