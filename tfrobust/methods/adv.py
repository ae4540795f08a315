"""Adversarial training in its first form."""

from collections.abc import Sequence
from typing import ClassVar

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.context import StepContext
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import Schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation


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
        label_smoothing: s in [0, 1): the target gives the label 1 - s and spreads s over the other
            classes.
        clipping: `LossClipping(0.4)` of squared errors, or None.
        regularizers: sequence of `Regularizer`; their weighted terms are added to the loss.
        weight_perturbation: `WeightPerturbation` that gives the weights at which the loss is taken,
            such as `AWP(5e-3)`, or None.
        attack_weights: `WeightPerturbation` that gives the weights which the attack sees, or None.
        scale: factor of the attack's radius, a number in [0, 1] or a `Schedule`.
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
        attack_statistics: how BatchNormalization normalises during the attack: by "running" averages,
            by the "batch", or "batch_frozen"; see `AdversarialModel`. "batch"
            reproduces codes that attack in training mode.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models
        >>> attack = attacks.PGD(Linf("8/255"), steps=10, step_size="2/255")
        >>> method = methods.ADV(models.digits_cnn(), attack)
        >>> method.compile("sgd")  # and method.fit(dataset)
        >>> method.parts
        ('label_loss',)

    References: Madry et al., 2018 (multi-step); Wong, Rice, Kolter, "Fast is better than free",
    2020 (one step).
    """

    parts: ClassVar[tuple[str, ...]] = ("label_loss",)
    clipped_terms: ClassVar[tuple[str, ...]] = ("total",)

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        divergence: Bregman = Bregman(),
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

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        logits = context.logits("adversarial")
        label = self.divergence.from_label(context.y, logits, self.label_smoothing)
        total = self.total(context, context.record("label_loss", label))
        return self.clip("total", total, logits)

    def total(self, context: StepContext, label: tf.Tensor) -> tf.Tensor:
        """The whole loss of an example, (b,), with the loss `label` at the adversarial image in it."""
        return label

    def clip(self, term: str, values: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """`values`, clipped where `clipping` is for this term."""
        if self.clipping is None or self.clipping.term != term:
            return values
        return self.clipping(values, logits)
