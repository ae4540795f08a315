"""SmoothAdv: adversarial training against the smoothed classifier."""

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Perturbation
from tfrobust.losses.bregman import Bregman
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.gaussian_noise import draw_noise
from tfrobust.ops.logits import inference
from tfrobust.ops.numbers import integer, number
from tfrobust.ops.schedules import Schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind, register
from tfrobust.weights.base import WeightPerturbation


@register
class SmoothAdv(AdversarialModel):
    """SmoothAdv: adversarial training against the classifier that randomised smoothing certifies.

    mean over examples and j = 1, ..., m of D(one-hot(y), p(x' + n_j)) with n_j ~ sigma * N(0, I)

    x' is what the attack finds against the smoothed probabilities: the logits that it sees are
    log((1/m) sum over j of p(x' + n_j)), so that it climbs -log of the mean probability of the label, not the
    mean of the losses. The same n_j serve all steps of the attack and the loss; x' is constant.

    Use it for a classifier that `certification.Smoothing` is to certify, with the sigma of the
    certificate, where more time than that of `GaussianNoise` is at hand: a step costs m times that of
    `ADV`. Noise is new in every step and belongs to a row of the global batch: one device and several
    draw the same. x' is in [0, 1]; x' + n_j is not cut. Each n_j is a forward pass of its own, normalised
    by its own batch.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k); it sees pixels outside
            of [0, 1], too.
        attack: `Attack` on the label, such as `PGD(L2(0.25), steps=10)`.
        sigma: standard deviation of the noise, at least 0, in pixels of [0, 1].
        samples: noises of each image (m), at least 1.
        divergence: `Bregman` of the loss; the attack has its own.
        regularizers: sequence of `Regularizer` at "clean", "adversarial", or "noisy_0", ...; their weighted
            terms are added to the loss.
        weight_perturbation: `WeightPerturbation` that gives the weights at which the loss is taken,
            such as `AWP(5e-3)`, or None.
        attack_weights: `WeightPerturbation` that gives the weights which the attack sees, or None.
        scale: factor of the attack's radius, a number in [0, 1] or a `Schedule`: the paper ramps it over
            the first epochs.
        eval_attack: `Attack` of `evaluate` and of validation, reported as `robust_accuracy`, or None.
            Both see the classifier itself, without noise.
        attack_statistics: how BatchNormalization normalises during the attack: by "running" averages,
            by the "batch", or "batch_frozen"; see `AdversarialModel`.
        seed: whole number, the seed of training and validation.
        name: name of the Keras model.

    Example:
        >>> from tfrobust import L2, PGD, methods, models
        >>> attack = PGD(L2(0.25), steps=2)
        >>> method = methods.SmoothAdv(models.digits_cnn(), attack, sigma=0.25, samples=2)
        >>> method.compile("sgd")  # and method.fit(dataset)
        >>> method.parts
        ('label_loss',)

    Reference: Salman et al., "Provably Robust Deep Learning via Adversarially Trained Smoothed Classifiers",
    2019 (SmoothAdv-PGD).
    """

    parts: ClassVar[tuple[str, ...]] = ("label_loss",)

    def __init__(
        self,
        classifier: keras.Model,
        attack: Attack,
        *,
        sigma: float = 0.25,
        samples: int = 2,
        divergence: Bregman = Bregman(),
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
        self.sigma = number(sigma, "sigma", 0.0)
        self.samples = integer(samples, "samples", 1)
        check_kind("divergence", divergence, Bregman)
        self.divergence = divergence

    def attacked(self, step: Step) -> Callable[[tf.Tensor], tf.Tensor]:
        forward = inference(super().attacked(step))
        noises = draw_noise(step, self.sigma, self.samples)

        def smoothed(x):
            """Logarithms of the mean probabilities, (b, k): logits whose softmax they are."""
            answers = [tf.nn.log_softmax(forward(x + noise)) for noise in noises]
            return tf.reduce_logsumexp(tf.stack(answers), axis=0) - math.log(self.samples)

        return smoothed

    def perturb(self, step: Step) -> tuple[Perturbation, dict[str, tf.Tensor]]:
        perturbation, points = super().perturb(step)
        noises = draw_noise(step, self.sigma, self.samples)
        noisy = {f"noisy_{j}": perturbation.x + noise for j, noise in enumerate(noises)}
        return perturbation, {**points, **noisy}

    def per_example_loss(self, context: StepContext) -> tf.Tensor:
        losses = [
            self.divergence.from_label(context.y, context.logits(f"noisy_{j}"))
            for j in range(self.samples)
        ]
        return context.record("label_loss", tf.add_n(losses) / self.samples)
