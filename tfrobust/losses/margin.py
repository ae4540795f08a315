"""Losses from differences between logits."""

import tensorflow as tf

from tfrobust.contract.labels import check_is_class


def margin(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """M = max over wrong classes of z_j, minus z_y. Positive exactly where the prediction is wrong.

    The gradient goes to one runner-up, the lowest class on ties, as in the reference codes.

    Args:
        y: labels, integers, shape (b,).
        logits: shape (b, k), k at least 2.

    Returns:
        Shape (b,), in logits.

    Example:
    >>> y, logits = tf.constant([0, 2]), tf.constant([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
    >>> tfrobust.losses.margin(y, logits).numpy().tolist()
    [-1.0, 1.0]
    """
    check_is_class(y, "margin")
    label = _take(logits, y)
    is_label = tf.one_hot(y, tf.shape(logits)[-1], on_value=True, off_value=False, dtype=tf.bool)
    wrong = tf.where(is_label, logits.dtype.min, logits)
    return _take(logits, tf.argmax(wrong, axis=-1, output_type=y.dtype)) - label


def logit_difference(y: tf.Tensor, target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """D_t = z_t - z_y, above 0 only where the prediction is wrong.

    Args:
        y: labels, integers, shape (b,).
        target: target classes, integers, shape (b,).
        logits: shape (b, k), k at least 2.

    Returns:
        Shape (b,), in logits.

    Example:
    >>> y, target, logits = tf.constant([0]), tf.constant([1]), tf.constant([[3.0, 1.0, 2.0]])
    >>> tfrobust.losses.logit_difference(y, target, logits).numpy().tolist()
    [-2.0]
    """
    check_is_class(y, "logit_difference")
    return _take(logits, target) - _take(logits, y)


def difference_of_logits_ratio(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """DLR = M / (z_(1) - z_(3) + 1e-12), with z_(i) the i-th largest logit; with two classes DLR = M.

    Args:
        y: labels, integers, shape (b,).
        logits: shape (b, k), k static and at least 2.

    Returns:
        Shape (b,). In [-1, 0] where the label has the largest logit, above 0 otherwise.

    Example:
    >>> y, logits = tf.constant([0]), tf.constant([[3.0, 1.0, 2.0]])
    >>> tfrobust.losses.difference_of_logits_ratio(y, logits).numpy().tolist()
    [-0.5]
    """
    if logits.shape[-1] < 3:
        return margin(y, logits)
    order = tf.math.top_k(logits, k=3).indices
    return margin(y, logits) / (_take(logits, order[:, 0]) - _take(logits, order[:, 2]) + 1e-12)


def targeted_difference_of_logits_ratio(
    y: tf.Tensor, target: tf.Tensor, logits: tf.Tensor
) -> tf.Tensor:
    """DLR_t = (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2 + 1e-12), with z_(i) the i-th largest logit.

    With three classes the denominator is z_(1) - z_(3), with two it is 1: there is one other class.

    Args:
        y: labels, integers, shape (b,).
        target: target classes, integers, shape (b,).
        logits: shape (b, k), k static and at least 2.

    Returns:
        Shape (b,).

    Example:
    >>> y, target, logits = tf.constant([0]), tf.constant([1]), tf.constant([[3.0, 1.0, 2.0]])
    >>> tfrobust.losses.targeted_difference_of_logits_ratio(y, target, logits).numpy().tolist()
    [-1.0]
    """
    difference = logit_difference(y, target, logits)
    if logits.shape[-1] < 3:
        return difference
    order = tf.math.top_k(logits, k=min(4, logits.shape[-1])).indices
    # With three classes the third and the last are the same.
    lower = 0.5 * (_take(logits, order[:, 2]) + _take(logits, order[:, -1]))
    return difference / (_take(logits, order[:, 0]) - lower + 1e-12)


def _take(logits, index):
    # As a sum, whose gradient is two operations; that of a gather in rows is a dozen.
    is_index = tf.one_hot(index, logits.shape[-1], True, False, dtype=tf.bool)
    return tf.reduce_sum(tf.where(is_index, logits, tf.zeros_like(logits)), axis=-1)
