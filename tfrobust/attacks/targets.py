"""The target classes of a search."""

import tensorflow as tf

from tfrobust.attacks.case import Case
from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer


def choose_ranked_target(case: Case, rank: tf.Tensor) -> tf.Tensor:
    """The wrong class with the `rank`-th largest clean logit, int32 (b,); the lowest class on ties.

    Args:
        case: `Case`, with k logits at the clean images.
        rank: whole numbers from 0 to k - 2, int32 (b,).
    """
    is_label = tf.one_hot(case.y, case.logits.shape[-1], True, False, dtype=tf.bool)
    others = tf.where(is_label, case.logits.dtype.min, case.logits)
    order = tf.math.top_k(others, case.logits.shape[-1]).indices
    return tf.gather(order, rank, batch_dims=1)


def check_targets(targets: int | str) -> int | str:
    """`targets` if it is valid: a whole number, "all" or "random"."""
    if isinstance(targets, str) and targets in ("all", "random"):
        return targets
    if isinstance(targets, str):
        raise UserError(
            "`targets` must be a whole number of at least 0, 'all' or 'random'. "
            f"Received: targets={targets!r}."
        )
    return integer(targets, "targets", 0)


def count_targets(targets: int | str, num_classes: int) -> int:
    """How many targets are tried one after the other, of `num_classes`; 0 for an untargeted search."""
    if isinstance(targets, str):
        return 1 if targets == "random" else num_classes - 1
    return min(targets, num_classes - 1)


def choose_target(targets: int | str, case: Case, rank: tf.Tensor) -> tf.Tensor:
    """The target class of each row, int32 (b,); never its label.

    Args:
        targets: a whole number: the classes by their clean logits, the largest first; "all": those
            from 0 to k - 1 without the label; "random": the class (y + j) mod k with j drawn
            uniformly from 1 to k - 1, the same in all runs of an example.
        case: `Case`, with k logits at the clean images.
        rank: which of the targets, int32 (b,), from 0.
    """
    if targets == "all":
        return rank + tf.cast(rank >= case.y, rank.dtype)
    if targets == "random":
        others = case.logits.shape[-1] - 1
        keys = case.keys if case.example_keys is None else case.example_keys
        draw = keys.fold_in(-2).uniform(tf.shape(case.y))
        # The product may be rounded up to the number of others.
        jump = 1 + tf.minimum(tf.cast(draw * others, tf.int32), others - 1)
        return (case.y + jump) % (others + 1)
    return choose_ranked_target(case, rank)
