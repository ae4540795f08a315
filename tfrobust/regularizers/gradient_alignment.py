"""Gradient alignment (GradAlign)."""

import dataclasses
import math
import zlib
from typing import Any

import tensorflow as tf

from tfrobust.losses.input_gradient import loss_and_gradient
from tfrobust.ops import norms
from tfrobust.ops.half_precision import inner_scale
from tfrobust.ops.logits import as_distribution
from tfrobust.ops.numbers import number
from tfrobust.ops.replicas.global_batch import sum_over_replicas
from tfrobust.ops.replicas.stand_in import mask_stand_in
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.context import TermContext
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel


def gradient_alignment_weight(epsilon: float | str) -> float:
    """GradAlign's weight for a radius, log-linear: 0.063 at 4/255, 0.2 at 8/255, 2 at 16/255.

    0.02 * 10^(epsilon / (8/255)), the rule for CIFAR-10. Other data need their own: SVHN's list is
    1.757 at 2/255, 1.976 at 4/255, 2.5 at 8/255, 3.162 at 12/255.

    Args:
        epsilon: the Linf radius, a number in [0, 1] or "8/255".

    Example:
    >>> round(tfrobust.regularizers.gradient_alignment_weight("8/255"), 6)
    0.2
    """
    return 0.02 * math.pow(10.0, number(epsilon, "epsilon", 0.0, 1.0, pixels=True) * 255.0 / 8.0)


@register
@dataclasses.dataclass(frozen=True)
class GradientAlignment(Regularizer):
    """Keeps the input gradient's direction the same all over the ball: GradAlign, with one-step `ADV`.

    1 - cos(grad l(x), grad l(x + eta)),   eta uniform in the ball, not cut to the pixel box

    per example over all pixels, with l the cross-entropy in training mode, whose statistics both
    passes move. An example with a gradient of exactly zero counts neither in the sum nor in the
    number of examples, which is that of the global batch: its term is 0 and the others' are scaled
    up.

    Use it against catastrophic overfitting of one-step adversarial training with the full radius:
    `ADV(classifier, PGD(threat_model, steps=1, relative_step_size=1.25, start=Clean()),
    regularizers=[GradientAlignment(0.2, threat_model)])`.

    Args:
        weight: lambda, at least 0, such as `gradient_alignment_weight("8/255")`.
        threat_model: the ball of eta; that of the attack.
        scale: factor of its radius in [0, 1], a number or a `Schedule`: that of the method.
        detach_clean: hold grad l(x) constant, as the code does, which saves a backward pass. False
            differentiates both, as the formula reads; the authors found no substantial difference.

    Raises:
        UserError: for settings outside of this.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models, regularizers
        >>> term = regularizers.GradientAlignment(0.2, Linf("8/255"))
        >>> attack = attacks.fgsm_rs(Linf("8/255"))
        >>> method = methods.ADV(models.digits_cnn(), attack, regularizers=[term])
        >>> [term.name for term in method.regularizers]
        ['gradient_alignment']

    Reference: Andriushchenko, Flammarion, "Understanding and Improving Fast Adversarial Training",
    2020. The code attacks in training mode: `attack_statistics="batch"`.
    """

    threat_model: ThreatModel | None = None
    scale: float | Schedule = 1.0
    detach_clean: bool = False

    sums_over_batch = "the number of examples with a gradient in the batch"

    @property
    def watched(self) -> tuple[str, ...]:
        return ("clean",)

    @property
    def differentiates_twice(self) -> bool | str:
        return True

    def check(self) -> None:
        check_schedule(self.weight, "weight", 0.0)
        check_kind("threat_model", self.threat_model, ThreatModel)
        check_schedule(self.scale, "scale", 0.0, 1.0)

    @property
    def name(self) -> str:
        return "gradient_alignment"

    def __call__(self, context: TermContext) -> tf.Tensor:
        x, y, logits = context.x("clean"), context.y, context.logits("clean")
        labels = as_distribution(y, logits)
        first = context.pullback("clean", tf.nn.softmax(logits) - labels)
        if self.detach_clean:
            first = tf.stop_gradient(first)
        ball: Any = self.threat_model
        radius = ball.radius(tf.cast(at(self.scale, context.epoch), x.dtype))
        keys = context.step.loss_keys.fold_in(zlib.crc32(self.name.encode()) & 0x7FFFFFFF)
        other = ball.random_point(x, tf.cast(radius, x.dtype), keys)
        scale = inner_scale(context.point.classifier)
        _, second = loss_and_gradient(context.point.forward, other, y, scale)
        first, some = _directions(first)
        second, others = _directions(second)
        counts = tf.cast(some & others, x.dtype)
        size = sum_over_replicas(mask_stand_in(tf.reduce_sum(counts)))
        cosine = tf.reduce_sum(first * second, axis=1)
        share = tf.math.divide_no_nan(tf.cast(context.batch.size, x.dtype), size)
        return share * counts * (1.0 - cosine)


def _directions(gradient):
    """Unit vectors, shape (b, n), and whether they exist, (b,): a zero stays without slope or NaN."""
    gradient = norms.flat(gradient)
    # A constant factor that the norm divides out again, lest squares of 1e-20 underflow.
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(gradient), axis=1, keepdims=True))
    exists = largest > 0.0
    gradient = tf.where(exists, gradient / tf.where(exists, largest, 1.0), 1.0)
    return gradient / tf.norm(gradient, axis=1, keepdims=True), exists[:, 0]
