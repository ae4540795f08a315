"""The loss of plain training."""

import tensorflow as tf


def cross_entropy(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy per example: logsumexp(z) - z_y.

    Args:
        y: labels, integers, shape (b,).
        logits: shape (b, k), not probabilities.

    Returns:
        Shape (b,), in nats.

    Example:
    >>> print(tfrobust.losses.cross_entropy(tf.constant([0]), tf.zeros((1, 10))).numpy().round(3))
    [2.303]
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
