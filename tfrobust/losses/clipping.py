"""SCORE's clipped losses."""

import dataclasses

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.potentials import SquaredNorm
from tfrobust.ops.numbers import parse_number
from tfrobust.spec import Spec, register

TERMS = ("total", "divergence")


@register
@dataclasses.dataclass(frozen=True)
class LossClipping(Spec):
    """Ignores squared errors below that of a prediction with a given confidence.

    max(0, loss - tau) per example, tau = c^2 k / (k - 1): the squared error between a label and a
    prediction that gives it probability 1 - c and spreads c evenly over the other k - 1 classes.

    Use it with squared errors on long runs without extra data, against robust overfitting.

    Args:
        slack: c, in [0, 1]; 0.3 for SCORE, 0.4 for adversarial training on squared errors.
        term: "total" clips the whole loss of an example, as in the method's formula (without what
            `regularizers` add); "divergence" only that between clean and adversarial predictions, before
            its weight, which leaves the accuracy term as it is.

    Example:
    >>> clip = tfrobust.losses.LossClipping(slack=0.3)
    >>> round(clip.threshold(num_classes=10), 3)
    0.1
    >>> print(clip(tf.constant([0.05, 0.4]), tf.zeros((2, 10))).numpy().round(3))
    [0. 0.3]

    Reference: Pang et al., "Robustness and Accuracy Could Be Reconcilable by (Proper) Definition",
    2022, code.
    """

    slack: float = 0.3
    term: str = "total"

    def check(self) -> None:
        self.store(slack=parse_number(self.slack, "slack", 0.0, 1.0))
        if self.term not in TERMS:
            raise UserError(f"`term` must be one of {TERMS}. Received: term={self.term!r}.")

    def threshold(self, num_classes: int) -> float:
        """tau, for a number of classes."""
        return self.slack**2 * num_classes / (num_classes - 1)

    def __call__(self, values: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """max(0, values - tau), shape (b,); `logits`, (b, k), tell the number of classes."""
        return tf.nn.relu(values - self.threshold(logits.shape[-1]))

    def check_divergence(self, divergence: Bregman) -> None:
        """Raises `UserError` for a `Bregman` whose values tau does not measure."""
        if not isinstance(divergence.potential, SquaredNorm):
            raise UserError(
                "`clipping` is measured in squared errors: give divergence=Bregman(SquaredNorm()) with it. "
                f"Received: divergence={divergence!r}."
            )
