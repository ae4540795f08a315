"""What a step asks of the optimizer, the same on one device and on several."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.compat import step_counter
from tfrobust.methods.points import Point
from tfrobust.methods.reporting import GRADIENT_NORM
from tfrobust.ops.logits import full_precision
from tfrobust.ops.replicas.global_batch import sum_over_replicas


class CoupledDecay:
    """What an optimizer says that adds its weight decay to the gradient, as PyTorch's do."""

    def decay_of(self, variable: keras.Variable) -> float:
        """The factor of the variable in what is added to its gradient, a Python float of at least 0."""
        raise NotImplementedError


def compute_shifted_decay(optimizer: keras.optimizers.Optimizer, point: Point) -> tf.Tensor | float:
    """What moves coupled weight decay from the weights w to the point w + v at which the loss is taken.

    sum over variables of rate * <v, w>, whose gradient rate * v the optimizer's own rate * w lacks; 0
    for the weights themselves, and for optimizers without such a decay.

    Args:
        optimizer: the compiled Keras optimizer.
        point: `LivePoint` or `ShiftedPoint`, in the tape that differentiates the loss.
    """
    optimizer = unwrap(optimizer)
    if point.shifts is None or not isinstance(optimizer, CoupledDecay):
        return 0.0
    pairs = zip(point.variables, point.shifts, strict=True)
    terms = [
        optimizer.decay_of(variable) * tf.reduce_sum(full_precision(shift * variable.value))
        for variable, shift in pairs
        if optimizer.decay_of(variable)
    ]
    return tf.add_n(terms) if terms else 0.0


def count_steps_made(optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
    """Training steps so far. `iterations` counts updates: fewer, where gradients are accumulated."""
    return step_counter(unwrap(optimizer))


def unwrap(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer inside Keras's loss scaling."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def clips(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer clips gradients."""
    return bool(optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue)


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor | None],
    variables: Sequence[keras.Variable],
    replicas: int,
) -> None:
    """One step of the optimizer. What is clipped is the gradient of the global batch.

    Keras clips on each replica before it sums. So on several the sum is taken and clipped here; a
    replica hands over its share of the result, which is too short for Keras to clip it again.

    Args:
        optimizer: the compiled Keras optimizer.
        gradients: this replica's share, list of tensors or None.
        variables: list of as many variables.
        replicas: Python int.
    """
    if replicas > 1 and clips(optimizer):
        pairs = [(g, v) for g, v in zip(gradients, variables, strict=True) if g is not None]
        clipped = _clip(sum_over_replicas([g for g, _ in pairs]), optimizer)
        gradients, variables = [g / replicas for g in clipped], [v for _, v in pairs]
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def move_weights(method: keras.Model, gradients: Sequence[tf.Tensor | None], replicas: int) -> None:
    """One step of a method's optimizer along the gradient, whose norm is logged if `compile` asked for it.

    Args:
        method: `ClassifierWrapper`.
        gradients: this replica's share for each trainable weight of the classifier, list of tensors or None.
        replicas: Python int.
    """
    if method.gradient_norm:
        norm, is_step = _measure(method.optimizer, gradients)
        method.means[GRADIENT_NORM].update_state(norm, is_step)
    apply(method.optimizer, gradients, method.classifier.trainable_variables, replicas)


def _measure(optimizer, gradients):
    """Norm of the global batch's gradient, and 1.0, or 0.0 for a step that is not made.

    Where losses are scaled, as in float16, Keras leaves out steps whose gradient overflows.
    """
    present = [tf.convert_to_tensor(g) for g in gradients if g is not None]
    # Before squares are taken, which would overflow.
    scale = optimizer.scale_loss(tf.ones([]))
    norm = tf.linalg.global_norm([full_precision(g) / scale for g in sum_over_replicas(present)])
    if unwrap(optimizer) is optimizer:
        return norm, tf.ones_like(norm)
    taken = tf.math.is_finite(norm)
    return tf.where(taken, norm, 0.0), tf.cast(taken, norm.dtype)


def _clip(gradients, optimizer):
    if optimizer.clipnorm:
        return [tf.clip_by_norm(gradient, optimizer.clipnorm) for gradient in gradients]
    if optimizer.global_clipnorm:
        return tf.clip_by_global_norm(gradients, optimizer.global_clipnorm)[0]
    limit = optimizer.clipvalue
    return [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]
