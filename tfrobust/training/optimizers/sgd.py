"""Stochastic gradient descent as the papers' code has it."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfrobust.compat import variable_position
from tfrobust.methods.update import CoupledDecay
from tfrobust.ops.numbers import number
from tfrobust.spec import register


@register
class CoupledSGD(keras.optimizers.Optimizer, CoupledDecay):
    """SGD with the semantics of PyTorch: coupled weight decay, momentum without the learning rate.

    g <- g + weight_decay * w;  v <- momentum * v + g;  w <- w - rate * v   (Nesterov: g + momentum * v)

    Use it to reproduce papers whose code is in PyTorch. Keras's SGD multiplies each gradient by the rate
    before it enters the momentum, so that after a drop of the rate about ten steps still have the old
    size, and its `weight_decay` is decoupled.

    Args:
        learning_rate: number, or a Keras `LearningRateSchedule`.
        momentum: in [0, 1).
        nesterov: whether to look ahead.
        coupled_weight_decay: added to the gradient, times the weight, of all variables, as PyTorch
            does; 0 for none. Where a method takes its loss at other weights w + v, as with AWP, the
            decay is that of w + v. (Keras's own `weight_decay` is decoupled; it is not offered here.)
        decay_kernels_only: leave biases and BatchNormalization's scale and offset undecayed.
        name: of the optimizer.
        **kwargs: as for `keras.optimizers.Optimizer`: `clipnorm`, `use_ema`, ...

    Raises:
        UserError: for settings outside of these ranges.

    Example:
    >>> weight = keras.Variable(1.0)
    >>> optimizer = tfrobust.training.CoupledSGD(0.1, momentum=0.9, coupled_weight_decay=0.5)
    >>> optimizer.build([weight])
    >>> optimizer.apply([tf.constant(1.0)])
    >>> round(float(weight), 4)  # 1 - 0.1 * (1 + 0.5 * 1)
    0.85
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.1,
        momentum: float = 0.9,
        nesterov: bool = False,
        coupled_weight_decay: float = 0.0,
        decay_kernels_only: bool = False,
        name: str = "coupled_sgd",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = number(momentum, "momentum", 0.0, 1.0)
        self.nesterov = nesterov
        self.coupled_weight_decay = number(coupled_weight_decay, "coupled_weight_decay", 0.0)
        self.decay_kernels_only = decay_kernels_only

    def build(self, variables: Sequence[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        rate = keras.ops.cast(learning_rate, variable.dtype)
        gradient = keras.ops.cast(gradient, variable.dtype)
        if self.decay_of(variable):
            gradient = gradient + self.decay_of(variable) * variable
        velocity = self.velocities[variable_position(self, variable)]
        moved = self.momentum * velocity + gradient
        self.assign(velocity, moved)
        step = gradient + self.momentum * moved if self.nesterov else moved
        self.assign_sub(variable, rate * step)

    def decay_of(self, variable: keras.Variable) -> float:
        """The rate at which a variable decays, 0 where it does not."""
        spared = self.decay_kernels_only and len(variable.shape) < 2
        return 0.0 if spared else self.coupled_weight_decay

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "coupled_weight_decay": self.coupled_weight_decay,
            "decay_kernels_only": self.decay_kernels_only,
        }
