"""Training on Gaussian noise: a classifier whose votes under noise can be certified."""

import zlib
from collections.abc import Sequence
from typing import ClassVar

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.losses.bregman import Bregman
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.context import Step, StepContext
from tfrobust.ops.numbers import number
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation

# Apart from what else is drawn for the loss, such as random projections.
_PURPOSE = zlib.crc32(b"gaussian_noise") & 0x7FFFFFFF


def draw_noise(step: Step, sigma: float, samples: int) -> list[tf.Tensor]:
    """`samples` draws of sigma * N(0, I) for the images of a step, each (b, h, w, c).

    They belong to the step and to an image's row of the global batch: the same at each call.
    """
    keys = step.loss_keys.fold_in(_PURPOSE)
    shape, dtype = tf.shape(step.x), step.x.dtype
    return [
        tf.ensure_shape(sigma * keys.fold_in(sample).normal(shape, dtype), step.x.shape)
        for sample in range(samples)
    ]


@register
class GaussianNoise(AdversarialModel):
    """Training with Gaussian noise, for randomised smoothing: the loss at one noisy copy of each image.

    mean over examples of D(one-hot(y), p(x + n)) with n ~ sigma * N(0, I), the cross-entropy for KL.

    Use it for a classifier that `certification.Smoothing` is to certify, with the sigma of the
    certificate; `SmoothAdv` certifies more and costs more. There is no attack. The noise is new in every step
    and belongs to a row of the global batch: one device and several draw the same. Noisy pixels are not
    cut to [0, 1], as in the certificate.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k); it sees pixels outside
            of [0, 1], too.
        sigma: standard deviation of the noise, at least 0, in pixels of [0, 1].
        divergence: `Bregman`; `Bregman(SquaredNorm())` trains on squared errors of probabilities.
        regularizers: sequence of `Regularizer` at the point "noisy", or "clean"; their weighted terms are
            added to the loss.
        weight_perturbation: `WeightPerturbation` that gives the weights at which the loss is taken,
            such as `AWP(5e-3)`, or None.
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
            Both see the classifier itself, without noise.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Example:
        >>> from tfrobust import methods, models
        >>> method = methods.GaussianNoise(models.digits_cnn(), sigma=0.25)
        >>> method.compile("sgd")  # and method.fit(dataset)
        >>> method.parts
        ('label_loss',)

    Reference: Cohen, Rosenfeld and Kolter, "Certified Adversarial Robustness via Randomized Smoothing",
    2019; the augmentation is that of Lecuyer et al., 2019.
    """

    parts: ClassVar[tuple[str, ...]] = ("label_loss",)

    def __init__(
        self,
        classifier: keras.Model,
        *,
        sigma: float = 0.25,
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
        self.sigma = number(sigma, "sigma", 0.0)
        check_kind("divergence", divergence, Bregman)
        self.divergence = divergence

    def perturb(  # type: ignore[override]
        self, step: Step
    ) -> tuple[None, dict[str, tf.Tensor]]:
        (noise,) = draw_noise(step, self.sigma, 1)
        return None, {"clean": step.x, "noisy": step.x + noise}

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        loss = self.divergence.from_label(context.y, context.logits("noisy"))
        return context.record("label_loss", loss)
