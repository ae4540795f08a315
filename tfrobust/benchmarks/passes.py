"""Passes through a classifier, in which the cost of a training step is counted."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.logits import full_precision, inference

# The first and the third in inference mode, the others in training mode.
PASSES = ("forward", "training forward", "to the input", "to the weights")


def make_passes(model: keras.Model, x: tf.Tensor, y: tf.Tensor) -> dict[str, Callable[[], Any]]:
    """The `PASSES` of a classifier at a batch, with the cross-entropy: name -> function."""

    def forward():
        return inference(model)(x)

    def training_forward():
        return model(x, training=True)

    def to_input():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            loss = tf.reduce_sum(cross_entropy(y, inference(model)(x)))
        return tape.gradient(loss, x)

    def to_weights():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(cross_entropy(y, full_precision(model(x, training=True))))
        return tape.gradient(loss, [v.value for v in model.trainable_variables])

    return _trace(forward, training_forward, to_input, to_weights)


def pair_passes(
    ours: dict[str, Callable[[], Any]], theirs: dict[str, Callable[[], Any]]
) -> dict[tuple[str, str], Callable[[], Any]]:
    """Passes with our layers and with Keras's, each beside its like: ("ours", name) -> function."""
    calls: dict[tuple[str, str], Callable[[], Any]] = {}
    for name in PASSES:
        calls |= {("ours", name): ours[name], ("Keras's", name): theirs[name]}
    return calls


def find_normalized_shapes(model: keras.Model, batch_size: int) -> list[tuple[int, ...]]:
    """The different shapes (b, h, w, c) that the BatchNormalization layers of a model see."""
    layers = [layer for layer in model.layers if isinstance(layer, BatchNormalization)]
    return list(dict.fromkeys((batch_size, *layer.input.shape[1:]) for layer in layers))


def make_normalization_passes(shape: tuple[int, ...]) -> dict[tuple[str, str], Callable[[], Any]]:
    """`pair_passes` of both BatchNormalization layers alone, at a normal input of shape (b, h, w, c).

    Back to the weights includes back to the input, as it does inside a network.
    """
    x = tf.random.stateless_normal(shape, (0, 0))
    layers = BatchNormalization(), keras.layers.BatchNormalization()
    for layer in layers:
        layer.build(shape)
    return pair_passes(*(_layer_passes(layer, x) for layer in layers))


def _layer_passes(layer, x):
    def forward():
        return layer(x, training=False)

    def training_forward():
        return layer(x, training=True)

    def to_input():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            y = layer(x, training=False)
        return tape.gradient(y, x, output_gradients=x)

    def to_weights():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        targets = [x, *(v.value for v in layer.trainable_variables)]
        return tape.gradient(y, targets, output_gradients=x)

    return _trace(forward, training_forward, to_input, to_weights)


def _trace(*functions):
    return {name: tf.function(f) for name, f in zip(PASSES, functions, strict=True)}
