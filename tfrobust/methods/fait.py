"""FAIT: TRADES with the path to the adversarial image cut in two."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Perturbation
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.trades import TRADES
from tfrobust.ops.schedules import Schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import register
from tfrobust.weights.base import WeightPerturbation


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
        divergence: `Bregman` of all terms.
        label_divergence: `Bregman` of the first term where it differs, or None.
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
        UserError: if the attack does not keep exactly one iterate.

    Example:
        >>> from tfrobust import Linf, attacks, losses, methods, models
        >>> start, to_clean = attacks.Gaussian(0.001), losses.ToClean()
        >>> attack = attacks.PGD(Linf("8/255"), to_clean, start=start, keep=(2,))
        >>> method = methods.FAIT(models.digits_cnn(), attack)
        >>> method.attack.kept_steps
        (2,)

    Reference: "Adversarial robustness from a Bregman view" (arXiv 2208.12511). BatchNormalization's
    mode is not stated there; here the attack sees running averages, and x, x*, x' are three
    training passes.
    """

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        beta: float | Schedule = 12.0,
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
        if len(attack.kept_steps) != 1:
            raise UserError(
                "FAIT needs an attack that keeps one iterate, such as PGD(..., keep=(2,)). "
                f"Received: {attack!r}."
            )

    def perturb(self, step: Step) -> tuple[Perturbation, dict[str, tf.Tensor]]:
        perturbation, points = super().perturb(step)
        return perturbation, {**points, "intermediate": perturbation.path[0]}

    def smoothness(self, context: StepContext) -> tf.Tensor:
        """D(p(x), p(x*)) + D(p(x*), p(x')), shape (b,)."""
        clean, intermediate, adversarial = map(
            context.logits, ("clean", "intermediate", "adversarial")
        )
        return self.divergence(clean, intermediate) + self.divergence(intermediate, adversarial)
