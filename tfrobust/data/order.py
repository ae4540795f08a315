"""Random numbers that are functions of their key: orders of examples, and seeds of augmentation."""

import numpy as np

# One stream per use, so that no two uses of a seed ever share random numbers.
ORDER, AUGMENTATION, HELD_OUT, EXTRA = 0, 1, 2, 3


def random_bits(seed, index, stream, count):
    """Returns `count` random 64-bit words of the Philox generator keyed by (seed, index).

    NumPy promises that the raw words of a bit generator never change, which it does not promise for
    `Generator.permutation`: a seed must name the same run next year.

    Args:
      seed: integer in [0, 2**62).
      index: integer in [0, 2**63): the epoch, or the class.
      stream: one of `ORDER`, `AUGMENTATION`, `HELD_OUT`, `EXTRA`.
      count: number of words.

    Returns:
      uint64 array (count,).
    """
    key = np.array([seed, index], np.uint64)
    counter = np.array([0, 0, 0, stream], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def permutation(count, seed, index, stream=ORDER):
    """Returns a random order of `count` things, a function of (seed, index, stream) only.

    Args:
      count: number of things.
      seed: integer in [0, 2**62).
      index: integer in [0, 2**63).
      stream: one of `ORDER`, `AUGMENTATION`, `HELD_OUT`.

    Returns:
      int64 array (count,), each of 0..count-1 once.
    """
    return np.argsort(random_bits(seed, index, stream, count), kind="stable")
