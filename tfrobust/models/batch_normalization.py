"""Batch normalisation by the global batch, with exact derivatives of every order."""

from typing import Any

import keras
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops import statistics
from tfrobust.ops.moments import moments


@keras.saving.register_keras_serializable(package="tfrobust")
class BatchNormalization(keras.layers.Layer):
    """Normalises each channel by the mean and the variance of the whole batch.

    Use it wherever a loss contains a derivative: a Jacobian or curvature penalty, local linearity,
    Taylor terms in weight space. Keras's own layer stops a gradient inside the variance: its first
    derivatives are exact, its second derivatives in training mode are wrong by 1 to 120 %.

        y = (x - mean) / sqrt(variance + epsilon) * gamma + beta

    with mean and variance over all axes but the last. In training they are those of the global
    batch: sums over all replicas divided by the number of values, so that uneven and empty replicas
    are weighted correctly. In inference, and when the layer is frozen by `trainable = False`, they
    are the running ones, folded into one multiplication and one addition.
    `tfrobust.ops.statistics` lets a training method choose otherwise.

    The running statistics are updated by

        running <- momentum * running + (1 - momentum) * batch

    with the unbiased variance of the batch, n / (n - 1) times the biased one, as in PyTorch
    (`momentum=0.9` is PyTorch's 0.1). Means and variances are computed in float32 also under
    bfloat16 and float16, and in float64 under float64.

    Args:
        momentum: in [0, 1), the share of the old running statistics that a step keeps.
        epsilon: positive, added to the variance.
        center: whether to add a learned `beta`.
        scale: whether to multiply by a learned `gamma`.
        unbiased_variance: whether the running variance averages the unbiased variances of the batches;
            Keras's layer averages the biased ones.
        beta_initializer, gamma_initializer: as in `keras.layers.BatchNormalization`.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as there.

    Call arguments:
        inputs: (b, ..., c).
        training: whether to normalise by the batch and to update the running statistics.

    Returns:
        A tensor of the shape of `inputs`.

    Raises:
        UserError: `momentum` or `epsilon` is out of range, or the number of channels is not known.

    Example:
        >>> layer = tfrobust.models.BatchNormalization()
        >>> layer(tf.constant([[1.0], [3.0]]), training=True).numpy().round(3).tolist()
        [[-1.0], [1.0]]
        >>> [round(float(v[0]), 3) for v in (layer.moving_mean, layer.moving_variance)]
        [0.2, 1.1]

    Reference: Ioffe and Szegedy 2015, arXiv:1502.03167.
    """

    # Methods read this before they divide the batch of a replica.
    sums_over_replicas = True

    def __init__(
        self,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        unbiased_variance: bool = True,
        beta_initializer: str | keras.Initializer = "zeros",
        gamma_initializer: str | keras.Initializer = "ones",
        beta_regularizer: str | keras.Regularizer | None = None,
        gamma_regularizer: str | keras.Regularizer | None = None,
        beta_constraint: str | keras.constraints.Constraint | None = None,
        gamma_constraint: str | keras.constraints.Constraint | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not _is_number(momentum) or not 0 <= momentum < 1:
            raise UserError(
                f"`momentum` must be at least 0 and below 1. Received: momentum={momentum!r}. "
                "PyTorch's momentum m is 1 - m here."
            )
        if not _is_number(epsilon) or not 0 < epsilon < float("inf"):
            raise UserError(f"`epsilon` must be positive. Received: epsilon={epsilon!r}.")
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        self.unbiased_variance = bool(unbiased_variance)
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_regularizer = keras.regularizers.get(beta_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.beta_constraint = keras.constraints.get(beta_constraint)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        if len(input_shape) < 2 or channels is None:
            raise UserError(
                "BatchNormalization needs inputs of shape (batch, ..., channels) with a known number "
                f"of channels. Received: input_shape={tuple(input_shape)}."
            )
        # The order of the weights is that of Keras's layer, so that `set_weights` copies between the two.
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                shape=(channels,),
                name="gamma",
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                autocast=False,
            )
        if self.center:
            self.beta = self.add_weight(
                shape=(channels,),
                name="beta",
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                autocast=False,
            )
        # No aggregation over replicas: each computes the statistics of the global batch, and assigns
        # its own copy.
        self.moving_mean, self.moving_variance = (
            self.add_weight(
                shape=(channels,),
                name=name,
                initializer=initializer,
                dtype=_choose_dtype(self.variable_dtype),
                trainable=False,
                autocast=False,
            )
            for name, initializer in (("moving_mean", "zeros"), ("moving_variance", "ones"))
        )
        self.input_spec = keras.layers.InputSpec(ndim=len(input_shape), axes={-1: channels})

    def call(self, inputs: tf.Tensor, training: bool = False, mask: None = None) -> tf.Tensor:
        # In the place of Keras's layer it is called with that one's arguments.
        if mask is not None:
            raise UserError(
                f"BatchNormalization of tfrobust takes no mask; {self.name!r} was given one."
            )
        x = tf.cast(inputs, _choose_dtype(inputs.dtype))
        mode = self._choose_mode(training)
        if mode.source == "running":
            mean, variance = (tf.cast(v, x.dtype) for v in (self.moving_mean, self.moving_variance))
        elif mode.source == "imposed":
            mean, variance = mode.captured.of(self)
        else:
            mean, variance, count = moments(x)
            if mode.captured is not None:
                mode.captured.record(self, mean, variance)
            if mode.update:
                self._move_running_statistics(mean, variance, count)
        multiplier = tf.math.rsqrt(variance + self.epsilon)
        if self.scale:
            multiplier *= tf.cast(self.gamma, x.dtype)
        beta = tf.cast(self.beta, x.dtype) if self.center else 0.0
        addend = beta - mean * multiplier
        return tf.cast(x * multiplier + addend, self.compute_dtype)

    def _choose_mode(self, training):
        if not self.trainable:
            return statistics.Mode("running")
        default = statistics.Mode("batch", update=True) if training else statistics.Mode("running")
        return statistics.current() or default

    def _move_running_statistics(self, mean, variance, count):
        if self.unbiased_variance:
            variance *= count / tf.maximum(count - 1, 1)
        for running, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = tf.convert_to_tensor(running)
            new = tf.stop_gradient(tf.cast(batch, old.dtype))
            running.assign(self.momentum * old + (1 - self.momentum) * new)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {
            name: getattr(self, name)
            for name in ("momentum", "epsilon", "center", "scale", "unbiased_variance")
        }
        for kind in (keras.initializers, keras.regularizers, keras.constraints):
            for weight in ("beta", "gamma"):
                name = f"{weight}_{kind.__name__.rpartition('.')[2].removesuffix('s')}"
                config[name] = kind.serialize(getattr(self, name))
        return {**super().get_config(), **config}


def _choose_dtype(dtype):
    return "float64" if tf.as_dtype(dtype) == tf.float64 else "float32"


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)
