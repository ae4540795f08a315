"""Running statistics for weights that no training step has used."""

import contextlib
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust.compat import all_layers
from tfrobust.runs.variables import list_copies


def find_normalizing_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers whose running averages move in training: BatchNormalization, Keras's or ours."""
    return [
        layer
        for layer in all_layers(model)
        if hasattr(layer, "moving_mean") and hasattr(layer, "moving_variance") and layer.trainable
    ]


def find_running_statistics(model: keras.Model) -> list[keras.Variable]:
    """The variables of those layers that hold running averages, a list."""
    layers = find_normalizing_layers(model)
    return [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]


def recompute_statistics(
    model: keras.Model, dataset: Iterable[Any], strategy: tf.distribute.Strategy | None = None
) -> None:
    """Replaces running averages by the mean of batch statistics over a whole dataset.

    mean over batches, weighted by their sizes, of the statistics that a training pass with the
    current weights normalises by. Nothing else in the model changes.

    Use it for averaged weights: their statistics are not the average of statistics.

    Args:
        model: Keras model in which each BatchNormalization is called once.
        dataset: finite `tf.data.Dataset` of images, or of tuples that begin with them: clean
            training data, augmented as in training.
        strategy: `tf.distribute.Strategy` under which the model was made, or None.

    Reference: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
    2018.
    """
    layers, moving = find_normalizing_layers(model), find_running_statistics(model)
    if not layers:
        return
    ids = {id(variable) for variable in moving}
    others = [v for v in model.non_trainable_variables if id(v) not in ids]
    kept = [np.asarray(v.numpy()) for v in others]  # the states of dropout's seeds
    shares = [1.0 - layer.momentum for layer in layers for _ in range(2)]
    means = [np.zeros(v.shape, np.float64) for v in moving]
    forward = tf.function(lambda x: model(x, training=True), autograph=False, reduce_retracing=True)
    seen = 0
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        for batch in dataset:
            x = batch[0] if isinstance(batch, (tuple, list)) else batch
            # From zero, a layer moves by 1 - momentum times the statistics of the batch.
            _assign(moving, [np.zeros(v.shape) for v in moving])
            forward(x)
            seen += len(x)
            for i, (variable, share) in enumerate(zip(moving, shares, strict=True)):
                found = np.asarray(variable.numpy(), np.float64) / share
                means[i] += (found - means[i]) * (len(x) / seen)
    _assign(moving, means)
    _assign(others, kept)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        for copy in list_copies(variable):
            copy.assign(tf.cast(value, copy.dtype))
