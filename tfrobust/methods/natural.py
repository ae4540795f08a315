"""Plain training, as the baseline."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.losses.bregman import Bregman
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.context import Step, StepContext
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation


@register
class Natural(AdversarialModel):
    """Natural training: the loss at the clean images, no attack.

    mean over examples of D(one-hot(y), p(x)), the cross-entropy for KL.

    Use it as the baseline of every table, and as the helper or the starting point of other methods.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        divergence: `Bregman`; `Bregman(SquaredNorm())` trains on squared errors of probabilities.
        regularizers: sequence of `Regularizer`; their weighted terms are added to the loss.
        weight_perturbation: `WeightPerturbation` that gives the weights at which the loss is taken,
            such as `AWP(5e-3)`, or None.
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Example:
        >>> from tfrobust import methods, models
        >>> method = methods.Natural(models.digits_cnn())
        >>> method.compile("sgd")  # and method.fit(dataset)
        >>> method(np.zeros((2, 8, 8, 1), "float32")).shape
        TensorShape([2, 10])
    """

    parts = ("label_loss",)

    def __init__(
        self,
        classifier: keras.Model,
        *,
        divergence: Bregman = Bregman(),
        regularizers: Sequence[Regularizer] = (),
        weight_perturbation: WeightPerturbation | None = None,
        eval_attack: Attack | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
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

    def perturb(  # type: ignore[override]
        self, step: Step
    ) -> tuple[None, dict[str, tf.Tensor]]:
        return None, {"clean": step.x}

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        loss = self.divergence.from_label(context.y, context.logits("clean"))
        return context.record("label_loss", loss)
