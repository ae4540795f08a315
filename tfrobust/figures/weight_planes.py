"""The loss over a plane of weights."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust.compat import all_layers
from tfrobust.losses.cross_entropy import cross_entropy


def draw_filter_normalised(model: keras.Model, seed: int) -> list[np.ndarray]:
    """Draws a random direction in which every filter is as long as the model's own.

    A normal direction is scaled, for each kernel and each of its filters, to the norm of the weights there,
    so that surfaces of networks with different scales of weights can be compared. Biases and the weights of
    normalisation layers, which have one axis, stay as they are.

    Args:
        model: Keras model.
        seed: whole number.

    Returns:
        An array for each trainable weight.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> kernel, bias = draw_filter_normalised(model, seed=0)
        >>> weights = np.asarray(model.layers[0].kernel)
        >>> np.allclose(np.linalg.norm(kernel, axis=0), np.linalg.norm(weights, axis=0)), bias.tolist()
        (True, [0.0, 0.0])

    Reference: Li et al., "Visualizing the loss landscape of neural nets", 2018.
    """
    generator, directions = np.random.Generator(np.random.Philox(seed)), []
    depthwise = {
        id(layer.kernel)
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.DepthwiseConv2D)
    }
    for variable in model.trainable_variables:
        weights = np.asarray(variable.numpy(), np.float32)
        drawn = generator.standard_normal(weights.shape).astype(np.float32)
        if weights.ndim < 2:
            directions.append(np.zeros_like(weights))
            continue
        # The last axis counts filters; those of depthwise convolutions are (h, w) for each of two axes.
        axes = (0, 1) if id(variable) in depthwise else tuple(range(weights.ndim - 1))
        lengths = [np.sqrt(np.sum(w**2, axis=axes, keepdims=True)) for w in (weights, drawn)]
        directions.append(drawn * lengths[0] / np.maximum(lengths[1], np.finfo(np.float32).tiny))
    return directions


def loss_over_weights(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    places: np.ndarray,
    on_batch: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """Computes the mean cross-entropy with the weights w + a first + b second for all a and b of a grid.

    The model is not changed; normalisation is by its running averages.

    Args:
        model: Keras model, images to logits.
        images: (m, h, w, c), clean or adversarial, the same at every point.
        labels: (m,).
        first, second: directions, an array for each trainable weight.
        places: values of a and b, (n,).
        on_batch: called with the share that is done, in [0, 1].

    Returns:
        float32 (n, n), a along the first axis.

    Example:
        >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
        >>> direction = draw_filter_normalised(model, seed=0)
        >>> images = np.zeros((4, 2, 2, 1), np.float32)
        >>> losses = loss_over_weights(
        ...     model, images, np.arange(4) % 3, direction, direction, np.array([0.0, 1.0]))
        >>> losses.shape, round(float(losses[0, 0]), 4)
        ((2, 2), 1.0986)
    """
    x, y = tf.constant(images, tf.float32), tf.constant(labels, tf.int32)
    directions = [tuple(map(tf.constant, pair)) for pair in zip(first, second, strict=True)]

    @tf.function(autograph=False)
    def loss(a, b):
        weights = [
            tf.cast(tf.convert_to_tensor(w), one.dtype) + a * one + b * other
            for w, (one, other) in zip(model.trainable_variables, directions, strict=True)
        ]
        others = [tf.convert_to_tensor(w) for w in model.non_trainable_variables]
        logits, _ = model.stateless_call(weights, others, x, training=False)
        return tf.reduce_mean(cross_entropy(y, tf.cast(logits, tf.float32)))

    losses = np.zeros((len(places), len(places)), np.float32)
    for i, a in enumerate(places):
        for j, b in enumerate(places):
            losses[i, j] = loss(tf.constant(a, tf.float32), tf.constant(b, tf.float32))
        on_batch((i + 1) / len(places))
    return losses
