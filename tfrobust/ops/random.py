"""Random numbers that belong to an example, not to a batch, a device or a call.

`BatchKeys` is for training: an example is known by its row in the global batch, so that one replica
and two draw the same noise. `ExampleKeys` is for evaluation: an example is known by its own seed,
so that the batch size and the order do not matter.
"""

import numbers
from typing import NamedTuple

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.seeds import check_seed

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
        """Keys for another purpose: independent of these, the same for the same `number`.

        Args:
            number: whole number, scalar; or one for each example of this replica, shape (b,), such as
                the step counters of a search, whose rows need not be in step: then every example
                gets a seed of its own.

        Returns:
            `BatchKeys`; `ExampleKeys` for numbers of shape (b,).
        """
        number = tf.convert_to_tensor(number)
        if number.shape.rank == 1:
            return by_example(self, tf.shape(number)[0]).fold_in(number)
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

    The numbers come from a counter and a key by plain integer operations, all rows at once, so that
    a search may draw in every step, and they are the same in a graph, under XLA and on any device.
    The generator is `squares32` of Widynski, "Squares: A Fast Counter-Based RNG", 2020; keys are
    made by the finaliser of SplitMix64.

    Attributes:
        seeds: int32, shape (b, 2).
    """

    seeds: tf.Tensor

    def fold_in(self, number):
        """Keys for another purpose: independent of these, the same for the same `number`.

        Args:
            number: whole number, scalar or one for each example, shape (b,).
        """
        number = tf.cast(tf.convert_to_tensor(number), tf.int64)
        # Plus one, so that folding in 0 gives other keys too.
        key = _mix(
            _key(self.seeds) + tf.bitcast(number + 1, tf.uint64) * tf.constant(_GOLDEN, tf.uint64)
        )
        return ExampleKeys(tf.bitcast(key, tf.int32))

    def uniform(self, shape, dtype=tf.float32):
        """Numbers in [0, 1) of `shape`; row i depends on seed i only."""
        return tf.cast(self._bits(shape, 0), dtype) * tf.constant(2.0**-24, dtype)

    def normal(self, shape, dtype=tf.float32):
        """Standard normal numbers of `shape`, by Box and Muller; row i depends on seed i only."""
        # (0, 1]: the logarithm of 0 is infinite.
        radius = (tf.cast(self._bits(shape, 0), dtype) + 1.0) * tf.constant(2.0**-24, dtype)
        angle = tf.constant(2.0**-23 * 3.141592653589793, dtype) * tf.cast(
            self._bits(shape, 1), dtype
        )
        return tf.sqrt(-2.0 * tf.math.log(radius)) * tf.cos(angle)

    def words(self, numbers):
        """64 random bits, uint64, for each of some whole numbers, (b, m); row i depends on seed i only.

        The cheapest draw, for searches that need a few random choices in every step.
        """
        numbers = tf.bitcast(tf.cast(numbers, tf.int64) + 1, tf.uint64)
        return _mix(_mix(_key(self.seeds))[:, None] + numbers * tf.constant(_GOLDEN, tf.uint64))

    def _bits(self, shape, stream):
        """Whole numbers below 2**24, int32: as many bits as float32 holds."""
        shape = tf.convert_to_tensor(shape)
        size = tf.reduce_prod(tf.cast(shape[1:], tf.int64))
        counters = tf.bitcast(tf.range(size, dtype=tf.int64) * 2 + stream, tf.uint64)
        # Mixed once more and made odd: the generator asks for irregular keys.
        key = tf.bitwise.bitwise_or(_mix(_key(self.seeds)), tf.constant(1, tf.uint64))
        bits = _squares(counters[None, :], key[:, None])
        return tf.reshape(tf.cast(_shift(bits, 8), tf.int32), shape)


_GOLDEN = 0x9E3779B97F4A7C15


def _key(seeds):
    return tf.bitcast(seeds, tf.uint64)


def _shift(value, places):
    return tf.bitwise.right_shift(value, tf.constant(places, tf.uint64))


def _swap_halves(value):
    """The two halves of uint64 exchanged."""
    left = tf.bitwise.left_shift(value, tf.constant(32, tf.uint64))
    return tf.bitwise.bitwise_or(left, _shift(value, 32))


def _mix(value):
    """SplitMix64's finaliser: a bijection of uint64 in which every bit depends on all."""
    for places, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = tf.bitwise.bitwise_xor(value, _shift(value, places))
        value *= tf.constant(factor, tf.uint64)
    return tf.bitwise.bitwise_xor(value, _shift(value, 31))


def _squares(counter, key):
    """32 random bits, in uint64: four rounds of squaring and taking the middle."""
    y = counter * key
    z = y + key
    x = y
    for addend in (y, z, y):
        x = _swap_halves(x * x + addend)
    return _shift(x * x + z, 32)


def by_example(keys, count):
    """`ExampleKeys` for `count` rows: those given, or one for each row of `BatchKeys`."""
    if isinstance(keys, ExampleKeys):
        return keys
    limits = tf.int32.min, tf.int32.max
    whole = tf.random.stateless_uniform(
        [keys.offset + count, 2], keys.seed, *limits, tf.int32, alg=ALGORITHM
    )
    return ExampleKeys(whole[keys.offset :])


def seed_pair(seed):
    """The int32 pair, shape (2,), that stands for a run's whole-number seed."""
    if tf.is_tensor(seed):
        seed = tf.cast(seed, tf.int64)
        return tf.cast(tf.stack([seed & 0x7FFFFFFF, tf.bitwise.right_shift(seed, 31)]), tf.int32)
    seed = check_seed(seed)
    return tf.constant([seed & 0x7FFFFFFF, seed >> 31], tf.int32)


def keys_of(seed):
    """Keys from whatever a caller has.

    Args:
        seed: whole number, or the same as a scalar integer tensor; a seed of shape (2,); seeds of shape
            (b, 2); keys.
    """
    if isinstance(seed, (BatchKeys, ExampleKeys)):
        return seed
    if isinstance(seed, numbers.Number) or seed is None:
        return BatchKeys(seed_pair(seed))
    seed = tf.convert_to_tensor(seed)
    if seed.dtype.is_integer and seed.shape.rank == 0:
        return BatchKeys(seed_pair(seed))
    if seed.dtype.is_integer and seed.shape.rank == 1 and seed.shape[0] == 2:
        return BatchKeys(tf.cast(seed, tf.int32))
    if seed.dtype.is_integer and seed.shape.rank == 2 and seed.shape[1] == 2:
        return ExampleKeys(tf.cast(seed, tf.int32))
    raise UserError(
        "`seed` must be a whole number, also as a scalar integer tensor, or an integer tensor of shape (2,) "
        "or (b, 2). "
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
