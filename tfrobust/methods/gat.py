"""GAT: one-step adversarial training whose step is guided."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Perturbation
from tfrobust.attacks.pgd import PGD
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.losses.potentials import SquaredNorm
from tfrobust.methods.context import Step
from tfrobust.methods.trades import TRADES
from tfrobust.ops.logits import full_precision
from tfrobust.ops.schedules import Schedule, at
from tfrobust.ops.statistics import batch_statistics
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation

_SQUARED = Bregman(SquaredNorm())


@register
class GAT(TRADES):
    """Guided adversarial training.

    mean over examples of CE(p(x), y) + beta * SE(p(x), p(x'))

    with SE the squared error of probabilities and gradients through both of its arguments. The
    attack climbs

        CE(p(x'), y) + a * beta * SE(P, p(x')), a = 0, 1, 0, 1, ... from step to step,

    where P is the prediction for the clean image in training mode, constant.

    Use it where one step must do: the guide keeps the single step from being overfitted to, at the
    price of one forward and two backward passes of ADV with one step.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        attack: `PGD(Linf("8/255"), steps=1, relative_step_size=1.0, start=Corner(0.5))`; its
            objective is the guided one: leave it out here.
        beta: the paper's lambda, 10 on CIFAR-10 with `Steps((86,), (10, 40))`.
        alternate: whether a alternates; otherwise a = 1, as on MNIST.
        divergence: `Bregman` of the second term and of the guide.
        label_divergence: `Bregman` of the first term, or None for that of the second.
        label_smoothing: s in [0, 1): the target gives the label 1 - s and spreads s over the other
            classes.
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

    Raises:
        UserError: for an attack with another objective.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models
        >>> threat_model, start = Linf("8/255"), attacks.Corner(0.5)
        >>> attack = attacks.PGD(threat_model, steps=1, relative_step_size=1.0, start=start)
        >>> method = methods.GAT(models.digits_cnn(), attack)
        >>> method.beta
        10.0

    Reference: Sriramanan et al., "Guided Adversarial Attack for Evaluating and Enhancing Adversarial
    Defenses", 2020. The pass that gives P does not move BatchNormalization's running averages here.
    """

    def __init__(
        self,
        classifier: keras.Model,
        attack: PGD,
        *,
        beta: float | Schedule = 10.0,
        alternate: bool = True,
        divergence: Bregman = _SQUARED,
        label_divergence: Bregman | None = Bregman(),
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
            beta=beta,
            divergence=divergence,
            label_divergence=label_divergence,
            label_smoothing=label_smoothing,
            clipping=clipping,
            regularizers=regularizers,
            weight_perturbation=weight_perturbation,
            attack_weights=attack_weights,
            scale=scale,
            eval_attack=eval_attack,
            attack_statistics=attack_statistics,
            seed=seed,
            name=name,
        )
        check_kind("attack", attack, PGD)
        if attack.objective != CrossEntropy():
            raise UserError(
                "GAT brings the objective of its attack: leave out `objective`. "
                f"Received: objective={attack.objective!r}."
            )
        check_kind("alternate", alternate, bool)
        self.alternate = alternate

    def perturb(self, step: Step) -> tuple[Perturbation, dict[str, tf.Tensor]]:
        with batch_statistics(update=False):
            guide = tf.stop_gradient(full_precision(self.classifier(step.x, training=True)))
        weight = tf.cast(at(self.beta, step.epoch), guide.dtype)
        if self.alternate:
            weight *= tf.cast(step.number % 2, guide.dtype)
        guided = _Guided(self.divergence, guide, weight)
        attack: Any = self.attack
        perturbation = dataclasses.replace(attack, objective=guided)(
            self.attacked(step),
            step.x,
            step.y,
            seed=step.attack_keys,
            scale=at(self.scale, step.epoch),
            epoch=step.epoch,
        )
        return perturbation, {"clean": step.x, "adversarial": perturbation.x}


@dataclasses.dataclass(frozen=True, eq=False)
class _Guided(Objective):
    """CE(p(x'), y) + weight * D(P, p(x')), for one batch."""

    divergence: Bregman
    guide: tf.Tensor
    weight: tf.Tensor

    def __call__(self, y, logits, reference=None, candidate=None):
        return cross_entropy(y, logits) + self.weight * self.divergence(self.guide, logits)
