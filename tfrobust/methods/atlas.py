"""ATLAS: adversarial training with a locally linear and a locally flat classifier."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.methods.adv import ADV
from tfrobust.methods.context import StepContext
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.jacobian import Jacobian
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation


@register
class ATLAS(ADV):
    """ATLAS, one-step and multi-step; ATLAS-l with `beta=0`, ATLAS-g with `alpha=0`.

    mean over examples of CE(x') + s * (alpha * || dz/dx(x') ||_F^2 + beta * KL(p(x'), p(x)))

    with s the factor `scale` of the attack's radius, so that alpha and beta grow along with a ramp
    of epsilon. The divergence begins at the adversarial prediction, the reverse of TRADES, and
    gradients flow through both of its arguments; x' is constant. One forward pass at x' serves all
    three terms. A term of weight 0 is not computed, nor the pass at x for beta = 0.

    Use it for one-step training that does not overfit to its step: the Jacobian's norm keeps the loss
    linear enough for one step to find the worst point. It needs alpha: ATLAS-g overfits, and a
    larger beta wants a larger alpha.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k). Its
            BatchNormalization must be `tfrobust.models.BatchNormalization` unless alpha is 0: Keras's
            own differentiates wrongly here.
        attack: `PGD(Linf("8/255"), steps=1, relative_step_size=1.25)`, or ten steps of 0.007.
        alpha: weight of the Jacobian's norm, at least 0, or a `Schedule`. CIFAR: 2e-4 with one step, 1e-4
            with ten; MNIST: 1e-5 and 5e-6.
        beta: weight of the divergence, at least 0, or a `Schedule`. CIFAR: 5 (CIFAR-100 with ten steps
            10); MNIST: 0.3, with twenty steps 0.2.
        projections: random directions whose mean estimates the Jacobian's norm, at least 1.
        kind: of the directions, as in `Jacobian`: "sphere", "rademacher" or "basis".
        smoothness_divergence: `Bregman` of the term with beta.
        divergence: `Bregman` between label and prediction; the formula above has KL.
        label_smoothing: s in [0, 1): the target gives the label 1 - s and spreads s over the other
            classes.
        clipping: `LossClipping` of squared errors, or None: "total" clips all of the formula above, the
            Jacobian's norm included, "divergence" the divergence before its weight.
        regularizers: sequence of `Regularizer`; their weighted terms are added to the loss.
        weight_perturbation: `WeightPerturbation` that gives the weights at which the loss is taken,
            such as `AWP(5e-3)`, or None.
        attack_weights: `WeightPerturbation` that gives the weights which the attack sees, or None.
        scale: factor of the attack's radius, a number in [0, 1] or a `Schedule`; the
            paper ramps epsilon by `LinearRamp(15)`.
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
        attack_statistics: how BatchNormalization normalises during the attack: by "running" averages,
            by the "batch", or "batch_frozen"; see `AdversarialModel`.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models
        >>> attack = attacks.fgsm_rs(Linf("8/255"))
        >>> method = methods.ATLAS(models.digits_cnn(), attack, beta=0.0)  # ATLAS-l
        >>> method.parts
        ('label_loss', 'jacobian')

    Reference: Lu and Kumar, ATLAS. What the paper leaves open: the attack in inference mode, the loss
    in training mode, clean and adversarial images forwarded separately, the Jacobian by the
    adversarial pass.
    """

    clipped_terms = ("total", "divergence")

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        alpha: float | Schedule = 2e-4,
        beta: float | Schedule = 5.0,
        projections: int = 1,
        kind: str = "sphere",
        smoothness_divergence: Bregman = Bregman(),
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
        check_kind("smoothness_divergence", smoothness_divergence, Bregman)
        # Before the base class asks which parts there are.
        self.alpha = check_schedule(alpha, "alpha", 0.0)
        self.beta = check_schedule(beta, "beta", 0.0)
        self.projections, self.kind = projections, kind
        self.smoothness_divergence = smoothness_divergence
        self._jacobian = Jacobian(1.0, "adversarial", projections, kind)
        super().__init__(
            classifier,
            attack,
            divergence=divergence,
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
        if self.clipping is not None and _is_used(self.beta):
            self.clipping.check_divergence(smoothness_divergence)
        elif self.clipping is not None and self.clipping.term == "divergence":
            raise UserError(f"With beta=0 there is no divergence to clip: {self.clipping!r}.")

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        optional = {"jacobian": self.alpha, "divergence": self.beta}
        return ("label_loss", *(name for name, weight in optional.items() if _is_used(weight)))

    @property
    def watched(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("adversarial",) if _is_used(self.alpha) else ()

    @property
    def differentiates_twice(self) -> bool:  # type: ignore[override]
        return _is_used(self.alpha)

    def total(self, context: StepContext, label: tf.Tensor) -> tf.Tensor:
        loss, scale = label, at(self.scale, context.epoch)
        if _is_used(self.alpha):
            jacobian = context.record("jacobian", self._jacobian(context))
            loss += tf.cast(scale * at(self.alpha, context.epoch), loss.dtype) * jacobian
        if _is_used(self.beta):
            logits = context.logits("adversarial"), context.logits("clean")
            divergence = context.record("divergence", self.smoothness_divergence(*logits))
            divergence = self.clip("divergence", divergence, logits[0])
            loss += tf.cast(scale * at(self.beta, context.epoch), loss.dtype) * divergence
        return loss


def _is_used(weight):
    return isinstance(weight, Schedule) or weight != 0.0
