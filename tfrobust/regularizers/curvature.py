"""Curvature of the loss (CURE)."""

import dataclasses

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses.input_gradient import loss_and_gradient
from tfrobust.ops import norms
from tfrobust.ops.half_precision import inner_scale
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.ops.statistics import batch_statistics, running_statistics
from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.context import TermContext
from tfrobust.spec import register


@register
@dataclasses.dataclass(frozen=True)
class Curvature(Regularizer):
    """How much the input gradient changes along its own sign: CURE, with `Natural`.

    || grad l(x + h v) - grad l(x) ||_2^power,   v = sign(grad l(x)) / || sign(grad l(x)) ||_2

    per example, with l the cross-entropy in inference mode, v constant and both gradients
    differentiated. It is not divided by h.

    Use it to make a trained classifier more robust without any attack in training: fine-tune with a
    small learning rate, or let `weight` begin at 0. A difference over a finite h sees the kinks of a
    ReLU network, too, in which the second derivative is zero.

    Args:
        weight: the paper's gamma, at least 0; 4 there, for a ResNet-18 on CIFAR-10.
        h: length of the step, in pixel units of the Euclidean norm, above 0, or a `Schedule`. The code
            goes through (0.1, 0.4, 0.8, 1.8, 3) in five epochs, in units of normalised images.
        power: 2, the paper's square, or 1, the code's norm, to reproduce its numbers.
        point: "clean", or another point of the method.
        statistics: "running", with which BatchNormalization normalises in inference mode, as in the
            code; or "batch", each of the two passes by its own, for learning rates so large that the
            averages lag behind: the network would become flat by their measure only. Neither moves
            them.

    Raises:
        UserError: for settings outside of this.

    Example:
        >>> from tfrobust import Linf, attacks, methods, models, regularizers
        >>> term = regularizers.Curvature(4.0)
        >>> attack = attacks.fgsm_rs(Linf("8/255"))
        >>> method = methods.ADV(models.digits_cnn(), attack, regularizers=[term])
        >>> [term.name for term in method.regularizers]
        ['curvature_clean']

    Reference: Moosavi-Dezfooli et al., "Robustness via Curvature Regularization, and Vice Versa", 2019.
    """

    h: float | Schedule = 1.5
    power: int = 2
    point: str = "clean"
    statistics: str = "running"

    @property
    def differentiates_twice(self) -> bool | str:
        return "inference" if self.statistics == "running" else True

    def check(self) -> None:
        check_schedule(self.weight, "weight", 0.0)
        check_schedule(self.h, "h", 1e-12)
        if self.power not in (1, 2):
            raise UserError(f"`power` must be 1 or 2. Received: power={self.power!r}.")
        if not isinstance(self.point, str):
            raise UserError(f"`point` must be a name such as 'clean'. Received: {self.point!r}.")
        if self.statistics not in ("running", "batch"):
            raise UserError(
                f"`statistics` must be 'running' or 'batch'. Received: {self.statistics!r}."
            )

    @property
    def name(self) -> str:
        return f"curvature_{self.point}"

    def __call__(self, context: TermContext) -> tf.Tensor:
        by_batch = self.statistics == "batch"

        def forward(x):
            with batch_statistics(update=False) if by_batch else running_statistics():
                return context.point.forward(x, training=False)

        x = context.x(self.point)
        scale = inner_scale(context.point.classifier)
        _, gradient = loss_and_gradient(forward, x, context.y, scale)
        direction = tf.stop_gradient(norms.unit_l2(tf.sign(gradient)))
        moved = x + tf.cast(at(self.h, context.epoch), x.dtype) * direction
        _, other = loss_and_gradient(forward, moved, context.y, scale)
        square = tf.reduce_sum(tf.square(norms.flat(other - gradient)), axis=1)
        if self.power == 2:
            return square
        # The root's slope at zero is infinite, and infinity times zero would be NaN.
        positive = square > 0.0
        return tf.where(positive, tf.sqrt(tf.where(positive, square, 1.0)), 0.0)
