"""Maximal entropy regularisation (MER)."""

import dataclasses

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.ops.schedules import check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.context import TermContext
from tfrobust.spec import check_kind, register


@register
@dataclasses.dataclass(frozen=True)
class MaximalEntropy(Regularizer):
    """Keeps predictions uncertain: subtracts their entropy from the loss.

    -H(p(point)) for KL, + sum_c p_c^2 for the squared norm; in general psi(p(point)), times
    `weight`.

    Use it with TRADES or FAIT at a larger beta than without. With weight 1 at the clean images the
    training cross-entropy stays well above zero: confidence is capped, which is what it is for.

    Args:
        weight: beta_cle or beta_adv of the paper, at least 0.
        point: "clean", "adversarial", or another point that the method forwards.
        divergence: the `Bregman` whose entropy is meant; the method's own, as a rule.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models, regularizers
        >>> term = regularizers.MaximalEntropy(1.0)
        >>> attack = attacks.fgsm_rs(Linf("8/255"))
        >>> method = methods.ADV(models.digits_cnn(), attack, regularizers=[term])
        >>> [term.name for term in method.regularizers]
        ['negative_entropy_clean']

    Reference: "Adversarial robustness from a Bregman view" (arXiv 2208.12511), MER.
    """

    short_name = "MER"

    point: str = "clean"
    divergence: Bregman = Bregman()

    def check(self) -> None:
        check_schedule(self.weight, "weight", 0.0)
        check_kind("divergence", self.divergence, Bregman)
        if not isinstance(self.point, str):
            raise UserError(f"`point` must be a name such as 'clean'. Received: {self.point!r}.")

    @property
    def name(self) -> str:
        return f"negative_entropy_{self.point}"

    def __call__(self, context: TermContext) -> tf.Tensor:
        return -self.divergence.entropy(context.logits(self.point))
