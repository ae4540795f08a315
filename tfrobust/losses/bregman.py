"""One divergence for TRADES, FAIT, MER, SCORE and ATLAS; the potential decides which."""

import dataclasses

import tensorflow as tf

from tfrobust.losses.potentials import NegativeEntropy, Potential
from tfrobust.ops.logits import as_distribution, is_soft
from tfrobust.spec import Spec, check_kind, register


@register
@dataclasses.dataclass(frozen=True)
class Bregman(Spec):
    """The Bregman divergence of a potential, computed from logits.

    D(a, b) = psi(a) - psi(b) - <grad psi(b), a - b>, with a and b the softmax of the given logits.
    The direction is the order of the arguments: TRADES has D(clean, adversarial), ATLAS the
    reverse. `Bregman()` is the Kullback-Leibler divergence, `Bregman(SquaredNorm())` the squared
    error. Gradients flow through both arguments.

    Args:
        potential: psi; `NegativeEntropy()` or `SquaredNorm()`, or a `Potential` of your own.

    Raises:
        UserError: if the potential is not one.

    Example:
    >>> divergence = tfrobust.losses.Bregman(tfrobust.losses.SquaredNorm())
    >>> one, other = tf.constant([[0.0, 0.0]]), tf.constant([[100.0, 0.0]])
    >>> print(divergence(one, other).numpy().round(3))
    [0.5]
    """

    potential: Potential = NegativeEntropy()

    def check(self) -> None:
        check_kind("potential", self.potential, Potential)

    def describe(self) -> str:
        """The name of the potential's divergence."""
        return self.potential.describe()

    def __call__(self, logits_a: tf.Tensor, logits_b: tf.Tensor) -> tf.Tensor:
        """D(softmax(logits_a), softmax(logits_b)); logits have shape (b, k), the result shape (b,)."""
        return self.potential.divergence(logits_a, logits_b)

    def from_label(self, y: tf.Tensor, logits: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
        """D(t, softmax(logits)), shape (b,): cross-entropy for KL, SCORE's loss for the square.

        t is the one-hot vector of a label (b,), or a soft label, a row of (b, k). With `smoothing` s in
        [0, 1) it becomes (1 - s) t + s (1 - t) / (k - 1): a class number's gives the label 1 - s and
        every other of the k classes s / (k - 1). For KL this is the cross-entropy with t minus the
        entropy of t, which is constant.
        """
        if not smoothing:
            return self.potential.divergence_from_label(y, logits)
        k = logits.shape[-1]
        if is_soft(y):
            target = as_distribution(y, logits)
            target = (1.0 - smoothing) * target + smoothing / (k - 1) * (1.0 - target)
            return self.potential.divergence_from_label(target, logits)
        target = tf.one_hot(y, k, 1.0 - smoothing, smoothing / (k - 1), dtype=logits.dtype)
        return self.potential.divergence(tf.math.log(target), logits)

    def entropy(self, logits: tf.Tensor) -> tf.Tensor:
        """The concave partner -psi(softmax(logits)), shape (b,): Shannon's entropy for KL."""
        return -self.potential.value(logits)
