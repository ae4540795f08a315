"""The loss of MART at adversarial images."""

import tensorflow as tf

from tfrobust.contract.labels import check_is_class
from tfrobust.losses.cross_entropy import cross_entropy


def boosted_cross_entropy(y: tf.Tensor, logits: tf.Tensor, offset: float = 0.0) -> tf.Tensor:
    """Cross-entropy plus a margin: -log p_y - log(1 + offset - p_r), with r the likeliest wrong class.

    Args:
        y: labels, integers, shape (b,).
        logits: shape (b, k), k at least 2.
        offset: at least 0; 1e-4 bounds the second term at 9.2, as MART's code does.

    Returns:
        Shape (b,), in nats.

    Example:
    >>> y, logits = tf.constant([0]), tf.constant([[0.0, 0.0]])
    >>> print(tfrobust.losses.boosted_cross_entropy(y, logits).numpy().round(3))
    [1.386]
    """
    check_is_class(y, "boosted_cross_entropy")
    label = tf.one_hot(y, tf.shape(logits)[-1], on_value=True, off_value=False, dtype=tf.bool)
    wrong = tf.where(label, logits.dtype.min, logits)
    runner_up = tf.one_hot(
        tf.argmax(wrong, -1), tf.shape(logits)[-1], on_value=True, off_value=False
    )
    # log(1 - p_r) as a sum over the other classes, exact where p_r rounds to 1.
    others = tf.where(runner_up, logits.dtype.min, logits)
    left = tf.reduce_logsumexp(others, -1) - tf.reduce_logsumexp(logits, -1)
    if offset:
        left = tf.reduce_logsumexp(
            tf.stack([left, tf.fill(tf.shape(left), tf.math.log(tf.cast(offset, left.dtype)))]), 0
        )
    return cross_entropy(y, logits) - left
