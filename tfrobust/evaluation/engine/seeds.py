"""One seed for each example of an attack."""

import zlib

import numpy as np
import tensorflow as tf

from tfrobust.ops.random.keys import ExampleKeys, seed_pair


def derive_seeds(seed: int, name: str, ids: np.ndarray) -> np.ndarray:
    """Derives seeds from an evaluation's seed, an attack's name and the examples' ids.

    Args:
        seed: whole number in [0, 2**62).
        name: of the attack in its suite.
        ids: int (n,).

    Returns:
        int32 (n, 2).

    Example:
    >>> from tfrobust.evaluation.engine.seeds import derive_seeds
    >>> derive_seeds(0, "apgd-ce", np.arange(3)).shape
    (3, 2)
    """
    if not len(ids):
        return np.zeros((0, 2), np.int32)
    seeds = tf.tile(seed_pair(seed)[None], [len(ids), 1])
    keys = ExampleKeys(seeds).fold_in(zlib.crc32(name.encode()))
    return keys.fold_in(tf.constant(ids, tf.int64)).seeds.numpy()
