"""The numbers of `tf.random.stateless_uniform(..., alg="philox")` for many seeds at once, in NumPy.

TensorFlow draws from one seed a call, which costs more than the rest of an image's augmentation. Here all
seeds of a batch go through the generator together, and give TensorFlow's numbers to the bit.

Reference: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011 (Philox4x32-10).
"""

import numpy as np

from tfrobust.errors import UserError

# Philox multiplies the words 0 and 2 of its counter, and moves its two words of key after each round.
_MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], np.uint64)
_KEY_STEPS = np.array([[0x9E3779B9], [0xBB67AE85]], np.uint32)
_ROUNDS = 10
# TensorFlow passes a seed through the generator once, as a counter under this key.
_SEED_KEY = np.array([[0x3EC8F720], [0x02461E29]], np.uint32)


def draw_words(seeds: np.ndarray, count: int) -> np.ndarray:
    """Draws random 32-bit words; row i depends on seed i only.

    Args:
        seeds: (b, 2) integers, also negative ones.
        count: words for each seed, at least 1. More words begin with fewer.

    Returns:
        uint32 (b, count).

    Raises:
        UserError: `seeds` are not pairs of integers.

    Example:
    >>> from tfrobust.ops.random.philox import draw_words
    >>> draw_words(np.array([[0, 1], [0, 2]]), count=2).tolist()
    [[3272246379, 716464970], [3769699523, 2807530343]]
    """
    seeds = np.asarray(seeds)
    if seeds.ndim != 2 or seeds.shape[1] != 2 or not np.issubdtype(seeds.dtype, np.integer):
        raise UserError(
            f"`seeds` must be integers (b, 2). Received: shape {seeds.shape}, dtype {seeds.dtype}."
        )
    halves = np.ascontiguousarray(seeds, "<i8").view("<u4")
    scrambled = _run_rounds(halves.T, _SEED_KEY)
    blocks = -(-count // 4)
    counter = np.zeros((4, len(seeds), blocks), np.uint32)
    counter[0] = np.arange(blocks)
    counter[2:] = scrambled[2:, :, None]
    key = np.repeat(scrambled[:2], blocks, axis=1)
    words = _run_rounds(counter.reshape(4, -1), key)
    return words.T.reshape(len(seeds), 4 * blocks)[:, :count]


def draw_integers(seeds: np.ndarray, count: int, low: int, high: int) -> np.ndarray:
    """Draws whole numbers in [low, high), those of TensorFlow's int32; row i depends on seed i only.

    Use it for what an augmentation of a whole batch chooses for each image.

    Args:
        seeds: (b, 2) integers, also negative ones.
        count: numbers for each seed, at least 1.
        low, high: whole numbers of 32 bits, low < high.

    Returns:
        int64 (b, count).

    Example:
    >>> from tfrobust.ops.random.philox import draw_integers
    >>> ours = draw_integers(np.array([[3, 4]]), count=3, low=-5, high=5)
    >>> theirs = tf.random.stateless_uniform((3,), (3, 4), -5, 5, tf.int32, alg="philox")
    >>> bool(tf.reduce_all(ours[0] == tf.cast(theirs, tf.int64)))
    True
    """
    return low + (draw_words(seeds, count) % np.uint32(high - low)).astype(np.int64)


def _run_rounds(counter, key):
    """Philox4x32-10 of counters (4, b) under keys (2, b) or (2, 1)."""
    even, odd = counter[0::2], counter[1::2]
    for turn in range(_ROUNDS):
        if turn:
            key = key + _KEY_STEPS
        product = np.multiply(even, _MULTIPLIERS, order="C").astype("<u8", copy=False).view("<u4")
        low, high = product[:, 0::2], product[:, 1::2]
        even, odd = high[::-1] ^ odd ^ key, low[::-1]
    return np.stack([even[0], odd[0], even[1], odd[1]])
