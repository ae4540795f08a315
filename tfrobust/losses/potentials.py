"""Convex functions of probabilities that define Bregman divergences."""

import dataclasses

import tensorflow as tf

from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.ops.logits import as_distribution, is_soft
from tfrobust.spec import Spec, register


@dataclasses.dataclass(frozen=True)
class Potential(Spec):
    """A differentiable convex function psi of a probability vector.

    `value` and `mirror` suffice for a new potential; the other two may be overridden with forms
    that are exact in logits, where probabilities would have been rounded to 0 or 1.

    Example:
    >>> potential = tfrobust.losses.SquaredNorm()
    >>> potential.divergence(tf.zeros((1, 2)), tf.zeros((1, 2))).numpy().tolist()
    [0.0]
    """

    def value(self, logits: tf.Tensor) -> tf.Tensor:
        """psi(softmax(logits)), shape (b,)."""
        raise NotImplementedError

    def mirror(self, logits: tf.Tensor) -> tf.Tensor:
        """The gradient of psi with respect to the probabilities, at softmax(logits), shape (b, k)."""
        raise NotImplementedError

    def value_of_label(self, y: tf.Tensor, num_classes: int | tf.Tensor) -> tf.Tensor:
        """psi at the one-hot vector of the label, shape (b,)."""
        raise NotImplementedError

    def divergence(self, logits_a: tf.Tensor, logits_b: tf.Tensor) -> tf.Tensor:
        """psi(a) - psi(b) - <mirror(b), a - b>, shape (b,)."""
        difference = tf.nn.softmax(logits_a) - tf.nn.softmax(logits_b)
        slope = tf.reduce_sum(self.mirror(logits_b) * difference, axis=-1)
        return self.value(logits_a) - self.value(logits_b) - slope

    def divergence_from_label(self, y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The divergence from a label to softmax(logits), shape (b,).

        Args:
            y: class numbers (b,), which stand for their one-hot vectors, or distributions (b, k).
            logits: shape (b, k).
        """
        if is_soft(y):
            # Below the smallest number a share is none, and its logarithm is finite.
            share = tf.maximum(as_distribution(y, logits), logits.dtype.as_numpy_dtype(1e-37))
            return self.divergence(tf.math.log(share), logits)
        num_classes = tf.shape(logits)[-1]
        difference = tf.one_hot(y, num_classes, dtype=logits.dtype) - tf.nn.softmax(logits)
        slope = tf.reduce_sum(self.mirror(logits) * difference, axis=-1)
        value_of_label = tf.cast(self.value_of_label(y, num_classes), logits.dtype)
        return value_of_label - self.value(logits) - slope


@register
@dataclasses.dataclass(frozen=True)
class NegativeEntropy(Potential):
    """psi(p) = sum_c p_c log p_c, natural logarithm. Its divergence is Kullback-Leibler's.

    Example:
    >>> print(tfrobust.losses.NegativeEntropy().value(tf.zeros((1, 10))).numpy().round(3))
    [-2.303]
    """

    short_name = "KL"

    def value(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.nn.softmax(logits) * tf.nn.log_softmax(logits), axis=-1)

    def mirror(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.log_softmax(logits) + 1.0

    def value_of_label(self, y: tf.Tensor, num_classes: int | tf.Tensor) -> tf.Tensor:
        return tf.zeros_like(y, dtype=tf.float32)

    def divergence(self, logits_a: tf.Tensor, logits_b: tf.Tensor) -> tf.Tensor:
        log_ratio = tf.nn.log_softmax(logits_a) - tf.nn.log_softmax(logits_b)
        return tf.reduce_sum(tf.nn.softmax(logits_a) * log_ratio, axis=-1)

    def divergence_from_label(self, y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        if is_soft(y):
            target = as_distribution(y, logits)
            return cross_entropy(y, logits) + tf.reduce_sum(tf.math.xlogy(target, target), axis=-1)
        return cross_entropy(y, logits)


@register
@dataclasses.dataclass(frozen=True)
class SquaredNorm(Potential):
    """psi(p) = sum_c p_c^2. Its divergence is the squared error of probabilities, in [0, 2].

    Example:
    >>> print(tfrobust.losses.SquaredNorm().value(tf.zeros((1, 10))).numpy().round(3))
    [0.1]
    """

    short_name = "squared error"

    def value(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.square(tf.nn.softmax(logits)), axis=-1)

    def mirror(self, logits: tf.Tensor) -> tf.Tensor:
        return 2.0 * tf.nn.softmax(logits)

    def value_of_label(self, y: tf.Tensor, num_classes: int | tf.Tensor) -> tf.Tensor:
        return tf.ones_like(y, dtype=tf.float32)

    def divergence(self, logits_a: tf.Tensor, logits_b: tf.Tensor) -> tf.Tensor:
        difference = tf.nn.softmax(logits_a) - tf.nn.softmax(logits_b)
        return tf.reduce_sum(tf.square(difference), axis=-1)

    def divergence_from_label(self, y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        label = as_distribution(y, logits)
        return tf.reduce_sum(tf.square(label - tf.nn.softmax(logits)), axis=-1)
