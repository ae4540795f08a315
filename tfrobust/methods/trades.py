"""TRADES: accuracy at the clean image, smoothness around it."""

from collections.abc import Sequence
from typing import ClassVar

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.context import StepContext
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation


@register
class TRADES(AdversarialModel):
    """TRADES, and TRADES-MER with `regularizers=[MaximalEntropy(1.0)]`.

    mean over examples of D(one-hot(y), p(x)) + beta * D(p(x), p(x'))

    with D the Kullback-Leibler divergence, so that the first term is the cross-entropy. Gradients
    flow through both arguments of the second; x' is constant. Clean and adversarial images are
    forwarded separately.

    Use it when clean accuracy matters too: beta trades one for the other.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        attack: one that climbs `ToClean()` from a start off the clean image:
            `PGD(Linf("8/255"), ToClean(), steps=10, step_size="2/255", start=Gaussian(0.001))`.
        beta: weight of the divergence, at least 0, or a `Schedule`. The papers also write lambda or
            1/lambda for it.
        divergence: `Bregman` of both terms; with `Bregman(SquaredNorm())`, and the attack on the
            same, the method is SCORE.
        label_divergence: `Bregman` of the first term where it differs: `Bregman()` keeps the cross-
            entropy beside a squared second term.
        label_smoothing: s in [0, 1): the target of the first term gives the label 1 - s and spreads
            s over the other classes. Against overconfidence, mostly with extra data.
        clipping: `LossClipping` of squared errors, or None.
        regularizers: sequence of `Regularizer`; their weighted terms are added to the loss.
        weight_perturbation: `WeightPerturbation` that gives the weights at which the loss is taken,
            such as `AWP(5e-3)`, or None.
        attack_weights: `WeightPerturbation` that gives the weights which the attack sees, or None.
        scale: factor of the attack's radius, a number in [0, 1] or a `Schedule`.
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
        attack_statistics: how BatchNormalization normalises during the attack: by "running" averages,
            by the "batch", or "batch_frozen"; see `AdversarialModel`.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Example:
        >>> from tfrobust import Linf, attacks, losses, methods, models
        >>> attack = attacks.PGD(Linf("8/255"), losses.ToClean(), start=attacks.Gaussian(0.001))
        >>> method = methods.TRADES(models.digits_cnn(), attack, beta=6.0)
        >>> method.compile("sgd")  # and method.fit(dataset)
        >>> method.parts
        ('label_loss', 'divergence')

    Reference: Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy",
    2019. The code forwards the clean batch twice; here once, which moves the running statistics
    once less.
    """

    parts: ClassVar[tuple[str, ...]] = ("label_loss", "divergence")

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        beta: float | Schedule = 6.0,
        divergence: Bregman = Bregman(),
        label_divergence: Bregman | None = None,
        label_smoothing: float = 0.0,
        clipping: LossClipping | None = None,
        regularizers: Sequence[Regularizer] = (),
        weight_perturbation: WeightPerturbation | None = None,
        attack_weights: WeightPerturbation | None = None,
        scale: float | Schedule = 1.0,
        eval_attack: Attack | None = None,
        attack_statistics: str = "running",
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            classifier,
            attack,
            regularizers=regularizers,
            weight_perturbation=weight_perturbation,
            attack_weights=attack_weights,
            scale=scale,
            eval_attack=eval_attack,
            attack_statistics=attack_statistics,
            seed=seed,
            name=name,
        )
        self.beta = check_schedule(beta, "beta", 0.0)
        check_kind("divergence", divergence, Bregman)
        check_kind("label_divergence", label_divergence, Bregman, optional=True)
        self.divergence = divergence
        self.label_divergence = label_divergence
        self.label_smoothing = number(label_smoothing, "label_smoothing", 0.0, 0.999)
        check_kind("clipping", clipping, LossClipping, optional=True)
        if clipping is not None:
            for one in (divergence, label_divergence or divergence):
                clipping.check_divergence(one)
        self.clipping = clipping

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        logits = context.logits("clean")
        label_divergence = self.label_divergence or self.divergence
        label = label_divergence.from_label(context.y, logits, self.label_smoothing)
        context.record("label_loss", label)
        smoothness = context.record("divergence", self.smoothness(context))
        if self.clipping is not None and self.clipping.term == "divergence":
            smoothness = self.clipping(smoothness, logits)
        total = label + tf.cast(at(self.beta, context.epoch), smoothness.dtype) * smoothness
        if self.clipping is not None and self.clipping.term == "total":
            total = self.clipping(total, logits)
        return total

    def smoothness(self, context: StepContext) -> tf.Tensor:
        """D(p(x), p(x')), shape (b,)."""
        return self.divergence(context.logits("clean"), context.logits("adversarial"))
