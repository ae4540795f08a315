"""Adversarial weight perturbation."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfrobust.ops.random.keys import BatchKeys
from tfrobust.ops.replicas.global_batch import sum_over_replicas
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.spec import register
from tfrobust.weights.base import WeightPerturbation


@register
@dataclasses.dataclass(frozen=True)
class AWP(WeightPerturbation):
    """Takes the loss at the weights that make it worst, layer by layer.

    v_l = gamma * ||w_l|| * G_l / ||G_l||, with G the gradient of the method's own loss (without
    weight penalties, which the papers leave to the optimizer) at fixed adversarial images, for
    every kernel (rank above 1); biases and BatchNormalization stay. Then
    the loss at w + v is minimised. It flattens the loss in weight space and reduces robust
    overfitting; it costs one more forward and backward pass of the loss.

    Args:
        gamma: relative size of the shift: 5e-3 for TRADES, 1e-2 for plain adversarial training. A
            `Schedule` that starts at 0 gives the papers' warm-up.

    Example:
        >>> from tfrobust import weights
        >>> awp = weights.AWP(gamma=0.5)
        >>> w = [tf.constant([[3.0, 4.0]])]
        >>> shift = awp(lambda w: tf.reduce_sum(w[0]), w, None, tf.constant(0.0))
        >>> round(float(tf.norm(shift[0])), 3)  # gamma * ||w||
        2.5

    Reference: Wu, Xia, Wang, "Adversarial Weight Perturbation Helps Robust Generalization", 2020.
    The code finds G with a proxy optimizer as a difference of weights; here it is the gradient
    itself, which is the same direction without the loss of digits. BatchNormalization's statistics
    move at w + v only. Weight decay acts at w + v too, as there, where the optimizer steps before v is
    taken back: that of `kernel_regularizer`, and that of `training.CoupledSGD`. The decoupled
    `weight_decay` of Keras's optimizers shrinks w.
    """

    gamma: float | Schedule = 5e-3

    def check(self) -> None:
        check_schedule(self.gamma, "gamma", 0.0)

    def __call__(
        self,
        loss_at: Callable[[list[tf.Tensor]], tf.Tensor],
        weights: list[tf.Tensor],
        keys: BatchKeys,
        epoch: tf.Tensor,
    ) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = loss_at(weights)
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        gradients = sum_over_replicas(gradients)
        size = at(self.gamma, epoch)
        return [
            _shift(weight, gradient, size) if weight.shape.rank > 1 else tf.zeros_like(weight)
            for weight, gradient in zip(weights, gradients, strict=True)
        ]


def _shift(weight, gradient, size):
    ratio = tf.math.divide_no_nan(tf.norm(weight), tf.norm(gradient))
    return tf.cast(size, weight.dtype) * ratio * gradient
