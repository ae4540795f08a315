"""What a step asks of the optimizer, the same on one device and on several."""

import tensorflow as tf

from tfrobust.ops.global_batch import sum_over_replicas


def steps_made(optimizer):
    """Training steps so far. `iterations` counts updates: fewer, where gradients are accumulated."""
    return inner(optimizer)._iterations


def inner(optimizer):
    """The optimizer inside Keras's loss scaling."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def clips(optimizer):
    """Whether the optimizer clips gradients."""
    return bool(optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue)


def apply(optimizer, gradients, variables, replicas):
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
        gradients = _clipped(sum_over_replicas([g for g, _ in pairs]), optimizer)
        gradients, variables = [g / replicas for g in gradients], [v for _, v in pairs]
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def _clipped(gradients, optimizer):
    if optimizer.clipnorm:
        return [tf.clip_by_norm(gradient, optimizer.clipnorm) for gradient in gradients]
    if optimizer.global_clipnorm:
        return tf.clip_by_global_norm(gradients, optimizer.global_clipnorm)[0]
    limit = optimizer.clipvalue
    return [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]
