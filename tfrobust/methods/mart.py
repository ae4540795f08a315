"""MART: adversarial training that looks at misclassified examples more."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.losses.boosted import boosted_cross_entropy
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.context import StepContext
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation


@register
class MART(AdversarialModel):
    """Misclassification-aware adversarial training.

    mean over examples of
        -log p_y(x') - log(1 - max over c != y of p_c(x')) + beta * D(p(x), p(x')) * (1 - p_y(x))

    with D the Kullback-Leibler divergence; x' is constant, and gradients flow through both
    arguments of D and through its weight 1 - p_y(x).

    Use it for PGD accuracy at a given budget; clean accuracy pays for it, and its lead is smaller
    under AutoAttack.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        attack: one that climbs the cross-entropy:
            `PGD(Linf("8/255"), steps=10, step_size="2/255", start=Gaussian(0.001))`.
        beta: the paper's lambda, at least 0, or a `Schedule`.
        divergence: `Bregman` of the last term.
        offset: added inside the second logarithm, in [0, 1]. 0 is the paper's formula; the code's
            1e-4 bounds the term at 9.2, for images whose wrong class has probability 1.
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
        >>> from tfrobust import Linf, attacks, methods, models
        >>> attack = attacks.PGD(Linf("8/255"), start=attacks.Gaussian(0.001))
        >>> method = methods.MART(models.digits_cnn(), attack, beta=5.0)
        >>> method.parts
        ('boosted_loss', 'weighted_divergence')

    Reference: Wang et al., "Improving Adversarial Robustness Requires Revisiting Misclassified
    Examples", 2020. The code's 1e-12 inside logarithms is not needed here.
    """

    parts = ("boosted_loss", "weighted_divergence")

    needs_class = "the margin to the likeliest of the other classes"

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        beta: float | Schedule = 5.0,
        divergence: Bregman = Bregman(),
        offset: float = 0.0,
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
        self.beta = check_schedule(beta, "beta", 0.0)
        self.divergence = divergence
        self.offset = number(offset, "offset", 0.0, 1.0)

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        clean, adversarial = context.logits("clean"), context.logits("adversarial")
        boosted = boosted_cross_entropy(context.y, adversarial, self.offset)
        context.record("boosted_loss", boosted)
        # 1 - p_y without its rounding to 0.
        doubt = -tf.math.expm1(-cross_entropy(context.y, clean))
        divergence = self.divergence(clean, adversarial) * doubt
        context.record("weighted_divergence", divergence)
        return boosted + tf.cast(at(self.beta, context.epoch), divergence.dtype) * divergence
