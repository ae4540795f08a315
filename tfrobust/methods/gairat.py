"""GAIRAT: adversarial training that weighs examples by how soon they are fooled."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.methods.adv import ADV
from tfrobust.methods.context import StepContext
from tfrobust.ops.numbers import number
from tfrobust.ops.replicas.global_batch import sum_over_replicas
from tfrobust.ops.replicas.stand_in import mask_stand_in
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import register
from tfrobust.weights.base import WeightPerturbation

WEIGHTINGS = ("tanh", "sigmoid", "discrete")


@register
class GAIRAT(ADV):
    """Geometry-aware instance-reweighted adversarial training.

    mean over examples of w * D(one-hot(y), p(x')), with mean w = 1 over the global batch and

        w ~ (1 + tanh(offset + 5 (1 - 2 kappa / K))) / 2

    where kappa counts the attack's K steps whose incoming iterate was still classified right. x'
    and w are constant.

    Use it to raise accuracy under the attack that it trains with. That it does not carry over to
    margin attacks and AutoAttack is known: measure with these before choosing it.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        attack: `PGD(Linf("8/255"), steps=10, step_size="2/255")`; any attack whose
            `num_steps` is a number.
        burn_in: epochs that are plain adversarial training, w = 1, at least 0. The paper has half
            of the run: 59 of 120.
        offset: the paper's lambda, at least -20, or a `Schedule`; infinity is plain adversarial
            training.
        weighting: "tanh" as above, the default; "sigmoid" with the same argument, which falls more
            slowly; "discrete", (K + 1 - kappa) / (K + 1), linear and without `offset`.
        divergence: `Bregman` between label and prediction.
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
        UserError: for an attack that is not made of steps.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models
        >>> attack = attacks.PGD(Linf("8/255"), steps=10, step_size="2/255")
        >>> method = methods.GAIRAT(models.digits_cnn(), attack, burn_in=60)
        >>> weights = method.raw_weights(tf.constant([0, 10]), tf.constant(61.0))
        >>> [round(float(w), 3) for w in weights]
        [1.0, 0.0]

    Reference: Zhang et al., "Geometry-aware Instance-reweighted Adversarial Training", 2021. Sample
    weights, where given, multiply w.
    """

    needs_class = "its weights count the steps for which that is predicted"
    sums_over_batch = "weights of examples whose mean over the batch is 1"

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        burn_in: float,
        offset: float | Schedule = -1.0,
        weighting: str = "tanh",
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
        if attack.num_steps is None:
            raise UserError(
                "GAIRAT counts an attack's steps, so it needs one that is made of steps, such as PGD. "
                f"Received: {attack!r}."
            )
        self._num_steps = float(attack.num_steps)
        if weighting not in WEIGHTINGS:
            raise UserError(
                f"`weighting` must be one of {WEIGHTINGS}. Received: weighting={weighting!r}."
            )
        self.burn_in = number(burn_in, "burn_in", 0.0)
        self.offset = offset if _is_infinite(offset) else check_schedule(offset, "offset", -20.0)
        self.weighting = weighting

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        raw = self.raw_weights(context.perturbation.survived, context.epoch)
        total = sum_over_replicas(mask_stand_in(tf.reduce_sum(raw)))
        loss = super().per_example_loss(context)
        return loss * tf.cast(raw * context.batch.size / total, loss.dtype)

    def raw_weights(self, kappa: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Weights before they are normalised, shape (b,), for `kappa` of shape (b,)."""
        steps = self._num_steps
        kappa = tf.cast(kappa, tf.float32)
        if self.weighting == "discrete":
            raw = (steps + 1.0 - kappa) / (steps + 1.0)
        else:
            offset = self.offset if _is_infinite(self.offset) else at(self.offset, epoch)
            argument = offset + 5.0 * (1.0 - 2.0 * kappa / steps)
            # (1 + tanh a) / 2 = sigmoid(2 a), which keeps its digits where tanh is nearly -1.
            raw = tf.sigmoid(2.0 * argument if self.weighting == "tanh" else argument)
        return tf.where(epoch < self.burn_in, tf.ones_like(raw), raw)


def _is_infinite(offset):
    return not isinstance(offset, (Schedule, str)) and offset == math.inf
