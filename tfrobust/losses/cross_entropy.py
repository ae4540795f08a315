"""The loss of plain training."""

import tensorflow as tf

from tfrobust.ops.logits import as_distribution, is_soft


def cross_entropy(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy per example: logsumexp(z) - z_y, or sum_c t_c (logsumexp(z) - z_c) for soft labels t.

    Args:
        y: labels, integers of shape (b,), or distributions of shape (b, k), whose rows sum to 1.
        logits: shape (b, k), not probabilities.

    Returns:
        Shape (b,), in nats.

    Example:
    >>> print(tfrobust.losses.cross_entropy(tf.constant([0]), tf.zeros((1, 10))).numpy().round(3))
    [2.303]
    """
    if is_soft(y):
        # No gradient goes to the labels, which are data.
        target = tf.stop_gradient(as_distribution(y, logits))
        return tf.nn.softmax_cross_entropy_with_logits(labels=target, logits=logits)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
