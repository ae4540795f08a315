"""HAT: TRADES that keeps its boundaries from moving further than they need."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Perturbation
from tfrobust.contract import check_classifier
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.trades import TRADES
from tfrobust.ops.logits import inference
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation


@register
class HAT(TRADES):
    """Helper-based adversarial training.

    mean over examples of D(one-hot(y), p(x)) + beta * D(p(x), p(x')) + gamma * CE(p(x_h), y_h)

    with x_h = x + h (x' - x), cut neither to the pixel box nor to epsilon, and y_h the class that a
    naturally trained, frozen helper sees in x'. x', x_h and y_h are constant.

    Use it where TRADES costs too much clean accuracy. It needs a helper, and one training pass and
    one forward pass of the helper more than TRADES.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        attack: that of TRADES.
        helper: Keras model like the classifier, trained without any robustness. It is frozen, and
            saved with the method. In `tfrobust.training.train` an untrained one will do, with the
            callback `TrainHelper`.
        beta: weight of the divergence, at least 0, or a `Schedule`.
        gamma: weight of the helper's term, at least 0, or a `Schedule`; with 0 it is TRADES.
        reach: h, above 0.
        adversarial_label: with True the second term is beta * CE(p(x'), y), adversarial training on
            clean and adversarial images with a helper.
        divergence: `Bregman` of the first two terms.
        label_divergence: `Bregman` of the first term where it differs, or None.
        label_smoothing: s in [0, 1): the target gives the label 1 - s and spreads s over the other
            classes.
        clipping: `LossClipping` of the divergence between clean and adversarial predictions, or
            None.
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
        UserError: if the helper is not a model of its own; for a `clipping` that is not of the
            divergence between clean and adversarial predictions.

    Example:
        >>> from tfrobust import Linf, attacks, losses, methods, models
        >>> attack = attacks.PGD(Linf("8/255"), losses.ToClean(), start=attacks.Gaussian(0.001))
        >>> helper = models.digits_cnn()  # trained naturally before
        >>> method = methods.HAT(models.digits_cnn(), attack, helper=helper)
        >>> method.parts
        ('label_loss', 'divergence', 'helper_loss')

    Reference: Rade and Moosavi-Dezfooli, "Reducing Excessive Margin to Achieve a Better Accuracy vs.
    Robustness Trade-off", 2022.
    """

    parts = (*TRADES.parts, "helper_loss")

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        helper: keras.Model,
        beta: float | Schedule = 2.5,
        gamma: float | Schedule = 0.5,
        reach: float = 2.0,
        adversarial_label: bool = False,
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
        check_classifier(helper, "helper")
        check_kind("adversarial_label", adversarial_label, bool)
        shared = {id(v) for v in classifier.variables} & {id(v) for v in helper.variables}
        if helper is classifier or shared:
            raise UserError(
                "`helper` must be a model of its own: it stays as it is while the classifier is trained. "
                "Received: one that shares the classifier's weights."
            )
        clipping = self.clipping
        if clipping is not None and (clipping.term == "total" or adversarial_label):
            raise UserError(
                "`clipping` is measured in squared errors, and the helper's term, as that of "
                "adversarial_label=True, is a cross-entropy: only LossClipping(term='divergence') without "
                f"`adversarial_label` can be meant. Received: clipping={clipping!r}."
            )
        helper.trainable = False
        self.helper = helper
        self.built = classifier.built and helper.built
        self.gamma = check_schedule(gamma, "gamma", 0.0)
        self.reach = number(reach, "reach", 1e-9)
        self.adversarial_label = adversarial_label

    def perturb(self, step: Step) -> tuple[Perturbation, dict[str, tf.Tensor]]:
        perturbation, points = super().perturb(step)
        helped = step.x + self.reach * (perturbation.x - step.x)
        return perturbation, {**points, "helped": helped}

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        total = super().per_example_loss(context)
        seen = inference(self.helper)(context.x("adversarial"))
        seen = tf.argmax(seen, axis=-1, output_type=tf.int32)
        helped = context.record("helper_loss", cross_entropy(seen, context.logits("helped")))
        return total + tf.cast(at(self.gamma, context.epoch), helped.dtype) * helped

    def smoothness(self, context: StepContext) -> tf.Tensor:
        """D(p(x), p(x')), or the cross-entropy at x', shape (b,)."""
        if self.adversarial_label:
            return cross_entropy(context.y, context.logits("adversarial"))
        return super().smoothness(context)
