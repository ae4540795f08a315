"""Adversarial training in its first form."""

from typing import ClassVar

from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.methods.base import AdversarialModel
from tfrobust.ops.numbers import number
from tfrobust.spec import check_kind, register


@register
class ADV(AdversarialModel):
    """Adversarial training (PGD-AT, and FGSM-RS with one step): the loss at the adversarial images only.

    mean over examples of D(one-hot(y), p(x')), the cross-entropy for KL; x' is constant.

    Use it first: it is the cheapest robust method, with one step two forward and backward passes a
    batch. With one step watch the validation's robust accuracy for catastrophic overfitting.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        attack: `PGD(Linf("8/255"), steps=10, step_size="2/255")`, or one step with
            `PGD(Linf("8/255"), steps=1, relative_step_size=1.25)`.
        divergence: `Bregman`; with `Bregman(SquaredNorm())` and an attack on `ToLabel` of the same
            it is PGD-AT with squared errors (SCORE).
        label_smoothing: see `TRADES`.
        clipping: `LossClipping(0.4)` of squared errors, or None.
        **kwargs: see `AdversarialModel`. `attack_statistics="batch"` reproduces codes that attack
            in training mode.

    References: Madry et al., 2018 (multi-step); Wong, Rice, Kolter, "Fast is better than free",
    2020 (one step).
    """

    parts: ClassVar[tuple[str, ...]] = ("label_loss",)
    clipped_terms: ClassVar[tuple[str, ...]] = ("total",)
    settings = (*AdversarialModel.settings, "divergence", "label_smoothing", "clipping")

    def __init__(
        self,
        classifier,
        attack,
        *,
        divergence=Bregman(),
        label_smoothing=0.0,
        clipping=None,
        **kwargs,
    ):
        super().__init__(classifier, attack, **kwargs)
        check_kind("divergence", divergence, Bregman)
        check_kind("clipping", clipping, LossClipping, optional=True)
        self.divergence = divergence
        self.label_smoothing = number(label_smoothing, "label_smoothing", 0.0, 0.999)
        if clipping is not None:
            clipping.check_divergence(divergence)
            if clipping.term not in self.clipped_terms:
                raise UserError(
                    f"This loss has these parts to be clipped: {self.clipped_terms}. Received: {clipping!r}."
                )
        self.clipping = clipping

    def per_example_loss(self, context):
        logits = context.logits("adversarial")
        label = self.divergence.from_label(context.y, logits, self.label_smoothing)
        total = self.total(context, context.record("label_loss", label))
        return self.clipped("total", total, logits)

    def total(self, context, label):
        """The whole loss of an example, (b,), with the loss `label` at the adversarial image in it."""
        return label

    def clipped(self, term, values, logits):
        """`values`, clipped where `clipping` is for this term."""
        clips = self.clipping is not None and self.clipping.term == term
        return self.clipping(values, logits) if clips else values
