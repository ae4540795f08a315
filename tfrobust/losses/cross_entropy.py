"""The loss of plain training."""

import tensorflow as tf


def cross_entropy(y, logits):
    """Cross-entropy per example: logsumexp(z) - z_y.

    Args:
        y: labels, integers, shape (b,).
        logits: shape (b, k), not probabilities.

    Returns:
        Shape (b,), in nats.
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
