"""Random numbers that belong to an example, not to a batch, a device or a call.

`BatchKeys` is for training: an example is identified by its row in the global batch, so that one replica
and two draw the same noise. `ExampleKeys` is for evaluation: an example is identified by its own seed,
so that the batch size and the order do not matter.
"""

import numbers
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.random.draws import ALGORITHM, draw_normal, draw_uniform, fold_in
from tfrobust.ops.random.seeds import check_seed
from tfrobust.ops.random.squares import GOLDEN, draw_squares, mix, shift


class BatchKeys(NamedTuple):
    """One seed for a global batch, of which this replica holds the rows from `offset` on.

    Attributes:
        seed: int32, shape (2,).
        offset: whole number, rows of the global batch that other replicas hold before ours.

    Example:
    >>> keys = keys_of(0)
    >>> whole, rest = keys.uniform((4, 2)), keys._replace(offset=1).uniform((3, 2))
    >>> bool(tf.reduce_all(whole[1:] == rest))
    True
    """

    seed: tf.Tensor
    offset: int | tf.Tensor = 0

    def fold_in(self, number: int | tf.Tensor) -> "BatchKeys | ExampleKeys":
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
        return BatchKeys(fold_in(self.seed, number), self.offset)

    def uniform(self, shape: Sequence[int] | tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """Numbers in [0, 1) of `shape`, whose first axis is this replica's batch."""
        return self._rows(draw_uniform, shape, dtype)

    def normal(self, shape: Sequence[int] | tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """Standard normal numbers of `shape`, whose first axis is this replica's batch."""
        return self._rows(draw_normal, shape, dtype)

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

    Example:
    >>> keys = keys_of([[1, 2], [3, 4]])
    >>> keys.normal((2, 5)).shape
    TensorShape([2, 5])
    """

    seeds: tf.Tensor

    def fold_in(self, number: int | tf.Tensor) -> "ExampleKeys":
        """Keys for another purpose: independent of these, the same for the same `number`.

        Args:
            number: whole number, scalar or one for each example, shape (b,).
        """
        number = tf.cast(tf.convert_to_tensor(number), tf.int64)
        # Plus one, so that folding in 0 gives other keys too.
        jump = tf.bitcast(number + 1, tf.uint64) * tf.constant(GOLDEN, tf.uint64)
        key = mix(tf.bitcast(self.seeds, tf.uint64) + jump)
        return ExampleKeys(tf.bitcast(key, tf.int32))

    def uniform(self, shape: Sequence[int] | tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """Numbers in [0, 1) of `shape`; row i depends on seed i only."""
        return tf.cast(self._bits(shape, 0), dtype) * tf.constant(2.0**-24, dtype)

    def normal(self, shape: Sequence[int] | tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """Standard normal numbers of `shape`, by Box and Muller; row i depends on seed i only."""
        # (0, 1]: the logarithm of 0 is infinite.
        radius = (tf.cast(self._bits(shape, 0), dtype) + 1.0) * tf.constant(2.0**-24, dtype)
        angle = tf.constant(2.0**-23 * 3.141592653589793, dtype) * tf.cast(
            self._bits(shape, 1), dtype
        )
        return tf.sqrt(-2.0 * tf.math.log(radius)) * tf.cos(angle)

    def words(self, numbers: tf.Tensor) -> tf.Tensor:
        """64 random bits, uint64, for each of some whole numbers, (b, m); row i depends on seed i only.

        The cheapest draw, for searches that need a few random choices in every step.
        """
        numbers = tf.bitcast(tf.cast(numbers, tf.int64) + 1, tf.uint64)
        return mix(
            mix(tf.bitcast(self.seeds, tf.uint64))[:, None]
            + numbers * tf.constant(GOLDEN, tf.uint64)
        )

    def _bits(self, shape, stream):
        """Whole numbers below 2**24, int32: as many bits as float32 holds."""
        shape = tf.convert_to_tensor(shape)
        size = tf.reduce_prod(tf.cast(shape[1:], tf.int64))
        counters = tf.bitcast(tf.range(size, dtype=tf.int64) * 2 + stream, tf.uint64)
        # Mixed once more and made odd: the generator asks for irregular keys.
        key = tf.bitwise.bitwise_or(
            mix(tf.bitcast(self.seeds, tf.uint64)), tf.constant(1, tf.uint64)
        )
        bits = draw_squares(counters[None, :], key[:, None])
        return tf.reshape(tf.cast(shift(bits, 8), tf.int32), shape)


Keys = BatchKeys | ExampleKeys


def by_example(keys: Keys, count: int | tf.Tensor) -> ExampleKeys:
    """`ExampleKeys` for `count` rows: those given, or one for each row of `BatchKeys`."""
    if isinstance(keys, ExampleKeys):
        return keys
    limits = tf.int32.min, tf.int32.max
    whole = tf.random.stateless_uniform(
        [keys.offset + count, 2], keys.seed, *limits, tf.int32, alg=ALGORITHM
    )
    return ExampleKeys(whole[keys.offset :])


def seed_pair(seed: int | tf.Tensor) -> tf.Tensor:
    """The int32 pair, shape (2,), that stands for a run's whole-number seed."""
    if tf.is_tensor(seed):
        seed = tf.cast(seed, tf.int64)
        return tf.cast(tf.stack([seed & 0x7FFFFFFF, tf.bitwise.right_shift(seed, 31)]), tf.int32)
    seed = check_seed(seed)
    return tf.constant([seed & 0x7FFFFFFF, seed >> 31], tf.int32)


def keys_of(seed: int | tf.Tensor | Keys | None) -> Keys:
    """Converts a seed of any accepted kind to keys.

    Args:
        seed: whole number, or the same as a scalar integer tensor; a seed of shape (2,); seeds of shape
            (b, 2); keys.

    Example:
    >>> keys = keys_of(0).fold_in(7)
    >>> bool(tf.reduce_all(keys.uniform((2, 3)) == keys.uniform((2, 3))))
    True
    """
    if isinstance(seed, (BatchKeys, ExampleKeys)):
        return seed
    if isinstance(seed, numbers.Number) or seed is None:
        return BatchKeys(seed_pair(seed))
    given = tf.convert_to_tensor(seed)
    if given.dtype.is_integer and given.shape.rank == 0:
        return BatchKeys(seed_pair(given))
    if given.dtype.is_integer and given.shape.rank == 1 and given.shape[0] == 2:
        return BatchKeys(tf.cast(given, tf.int32))
    if given.dtype.is_integer and given.shape.rank == 2 and given.shape[1] == 2:
        return ExampleKeys(tf.cast(given, tf.int32))
    raise UserError(
        "`seed` must be a whole number, also as a scalar integer tensor, or an integer tensor of shape (2,) "
        "or (b, 2). "
        f"Received: dtype {given.dtype.name}, shape {given.shape}."
    )


def content_keys(seed: int | tf.Tensor, x: tf.Tensor) -> ExampleKeys:
    """Makes keys from the pixels of each example: the same image gets the same noise in any batch.

    For evaluation inside Keras, where examples have no numbers. The key is a linear hash of the
    pixels' bits with odd weights, modulo 2**64; equal images share their noise, which is harmless.

    Args:
        seed: whole number or int32 tensor of shape (2,).
        x: float32 images, shape (b, ...).

    Returns:
        `ExampleKeys` for b examples.

    Example:
    >>> x = tf.reshape(tf.range(8.0), (2, 2, 2, 1))
    >>> one, two = content_keys(0, x), content_keys(0, x[1:])
    >>> bool(tf.reduce_all(one.seeds[1] == two.seeds[0]))
    True
    """
    bits = tf.bitcast(tf.cast(tf.reshape(x, [tf.shape(x)[0], -1]), tf.float32), tf.int32)
    bits = tf.cast(bits, tf.int64)
    # Weyl sequence of the golden ratio; integers wrap around modulo 2**64.
    positions = tf.range(1, tf.shape(bits, tf.int64)[1] + 1, dtype=tf.int64)
    weights = tf.bitwise.bitwise_or(positions * -7046029254386353131, tf.ones([], tf.int64))
    names = tf.reduce_sum(bits * weights, axis=1)
    halves = tf.bitcast(names, tf.int32)
    keys = keys_of(seed)
    if isinstance(keys, ExampleKeys):
        raise UserError("`seed` must be one seed for all images, not one for each.")
    seed = keys.seed
    return ExampleKeys(tf.map_fn(lambda half: fold_in(fold_in(seed, half[0]), half[1]), halves))
