"""FAIT: TRADES with the path to the adversarial image cut in two."""

from tfrobust.errors import UserError
from tfrobust.methods.trades import TRADES
from tfrobust.spec import register


@register
class FAIT(TRADES):
    """FAIT, and FAIT-MER with `regularizers=[MaximalEntropy(1.0)]`.

    mean over examples of D(one-hot(y), p(x)) + beta * (D(p(x), p(x*)) + D(p(x*), p(x')))

    x' is the last iterate of the attack, x* the iterate after I steps of the same run, both
    constant; all three predictions carry gradients, in both arguments. The attack climbs the single
    divergence D(p(x), p(x')).

    Use it where TRADES costs too much clean accuracy: two short steps ask less of the classifier
    than a long one.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        attack: that of TRADES, keeping one iterate: `PGD(..., steps=10, keep=(2,))`; with
            keep=(10,) FAIT is TRADES.
        beta: the paper's lambda, 12 for FAIT and 30 for FAIT-MER there.
        **kwargs: see `TRADES`.

    Raises:
        UserError: if the attack does not keep exactly one iterate.

    Reference: "Adversarial robustness from a Bregman view" (arXiv 2208.12511). BatchNormalization's
    mode is not stated there; here the attack sees running averages, and x, x*, x' are three
    training passes.
    """

    def __init__(
        self,
        classifier,
        attack,
        *,
        beta=12.0,
        **kwargs,
    ):
        super().__init__(classifier, attack, beta=beta, **kwargs)
        if len(getattr(attack, "keep", ())) != 1:
            raise UserError(
                "FAIT needs an attack that keeps one iterate, such as PGD(..., keep=(2,)). "
                f"Received: {attack!r}."
            )

    def perturb(self, step):
        perturbation, points = super().perturb(step)
        return perturbation, {**points, "intermediate": perturbation.path[0]}

    def smoothness(self, context):
        """D(p(x), p(x*)) + D(p(x*), p(x')), shape (b,)."""
        clean, intermediate, adversarial = map(
            context.logits, ("clean", "intermediate", "adversarial")
        )
        return self.divergence(clean, intermediate) + self.divergence(intermediate, adversarial)
