"""Random numbers that depend on a key only: orders of examples, and seeds of augmentation."""

import numpy as np

# One stream for each use, so that two uses of one seed never share random numbers.
ORDER, AUGMENTATION, HELD_OUT, EXTRA, CROP, MIXING = 0, 1, 2, 3, 4, 5


def draw_bits(seed: int, index: int, stream: int, count: int, example: int = 0) -> np.ndarray:
    """Draws random 64-bit words from the Philox generator with the key (seed, index).

    NumPy guarantees that the raw words of a bit generator never change, which it does not guarantee
    for `Generator.permutation`: a seed must give the same run with later versions.

    Args:
        seed: integer in [0, 2**62).
        index: integer in [0, 2**63): the epoch, or the class.
        stream: one of `ORDER`, `AUGMENTATION`, `HELD_OUT`, `EXTRA`, `CROP`, `MIXING`.
        count: number of words.
        example: id of the example that they belong to, from 0.

    Returns:
        uint64 array (count,).

    Example:
        >>> draw_bits(seed=3, index=1, stream=ORDER, count=2).shape
        (2,)
    """
    key = np.array([seed, index], np.uint64)
    counter = np.array([0, example, 0, stream], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def draw_permutation(count: int, seed: int, index: int, stream: int = ORDER) -> np.ndarray:
    """Draws a random order of `count` things, which depends on (seed, index, stream) only.

    Args:
        count: number of things.
        seed: integer in [0, 2**62).
        index: integer in [0, 2**63).
        stream: one of `ORDER`, `AUGMENTATION`, `HELD_OUT`.

    Returns:
        int64 array (count,), each of 0..count-1 once.

    Example:
        >>> draw_permutation(8, seed=3, index=1).tolist()
        [7, 3, 5, 6, 4, 0, 2, 1]
    """
    return np.argsort(draw_bits(seed, index, stream, count), kind="stable")
