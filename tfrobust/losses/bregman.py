"""One divergence for TRADES, FAIT, MER, SCORE and ATLAS; the potential decides which."""

import dataclasses

from tfrobust.losses.potentials import NegativeEntropy, Potential
from tfrobust.spec import Spec, check_kind, register


@register
@dataclasses.dataclass(frozen=True)
class Bregman(Spec):
    """The Bregman divergence of a potential, computed from logits.

    D(a, b) = psi(a) - psi(b) - <grad psi(b), a - b>, with a and b the softmax of the logits given.
    The direction is the order of the arguments: TRADES has D(clean, adversarial), ATLAS the
    reverse. `Bregman()` is the Kullback-Leibler divergence, `Bregman(SquaredNorm())` the squared
    error. Gradients flow through both arguments.

    Args:
        potential: psi; `NegativeEntropy()` or `SquaredNorm()`, or a `Potential` of your own.

    Raises:
        UserError: if the potential is not one.
    """

    potential: Potential = NegativeEntropy()

    def check(self):
        check_kind("potential", self.potential, Potential)

    def __call__(self, logits_a, logits_b):
        """D(softmax(logits_a), softmax(logits_b)); logits have shape (b, k), the result shape (b,)."""
        return self.potential.divergence(logits_a, logits_b)

    def from_label(self, y, logits):
        """D(one-hot(y), softmax(logits)), shape (b,): cross-entropy for KL, SCORE's loss for the square."""
        return self.potential.divergence_from_label(y, logits)

    def entropy(self, logits):
        """The concave partner -psi(softmax(logits)), shape (b,): Shannon's entropy for KL."""
        return -self.potential.value(logits)
