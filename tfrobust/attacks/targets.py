"""Classes that a targeted search aims at."""

import tensorflow as tf


def target_of(case, rank):
    """The wrong class with the `rank`-th largest clean logit, int32 (b,); the lowest class on ties.

    Args:
        case: `Case`, with k logits at the clean images.
        rank: whole numbers from 0 to k - 2, int32 (b,).
    """
    is_label = tf.one_hot(case.y, case.logits.shape[-1], True, False, dtype=tf.bool)
    others = tf.where(is_label, case.logits.dtype.min, case.logits)
    order = tf.math.top_k(others, case.logits.shape[-1]).indices
    return tf.gather(order, rank, batch_dims=1)
