"""Plain training, as the baseline."""

from tfrobust.losses.bregman import Bregman
from tfrobust.methods.base import AdversarialModel
from tfrobust.spec import check_kind, register


@register
class Natural(AdversarialModel):
    """Natural training: the loss at the clean images, no attack.

    mean over examples of D(one-hot(y), p(x)), the cross-entropy for KL.

    Use it as the baseline of every table, and as the helper or the starting point of other methods.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        divergence: `Bregman`; `Bregman(SquaredNorm())` trains on squared errors of probabilities.
        regularizers, weight_perturbation, eval_attack, seed, name: see `AdversarialModel`.
    """

    parts = ("label_loss",)
    settings = (
        "classifier",
        "divergence",
        "regularizers",
        "weight_perturbation",
        "eval_attack",
        "seed",
    )

    def __init__(
        self,
        classifier,
        *,
        divergence=Bregman(),
        regularizers=(),
        weight_perturbation=None,
        eval_attack=None,
        seed=0,
        name=None,
    ):
        super().__init__(
            classifier,
            None,
            regularizers=regularizers,
            weight_perturbation=weight_perturbation,
            eval_attack=eval_attack,
            seed=seed,
            name=name,
        )
        check_kind("divergence", divergence, Bregman)
        self.divergence = divergence

    def perturb(self, step):
        return None, {"clean": step.x}

    def per_example_loss(self, context):
        loss = self.divergence.from_label(context.y, context.logits("clean"))
        return context.record("label_loss", loss)
