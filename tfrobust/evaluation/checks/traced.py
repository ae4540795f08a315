"""A classifier's logits and gradients, each traced once for all checks."""

import functools
import typing
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfrobust.losses.logit_objectives import DLR, Margin
from tfrobust.losses.objectives import CrossEntropy
from tfrobust.ops.logits import inference

LOSSES = {"cross-entropy": CrossEntropy(), "margin": Margin(), "DLR": DLR()}


class TracedModel:
    """A classifier whose logits, and gradients of three losses, are traced once for any number of images.

    A call gives the logits.

    Args:
        model: Keras model or callable, images to logits.
        image_shape: (h, w, c).

    Example:
    >>> traced = TracedModel(lambda x: 2.0 * x[:, 0, 0], (1, 1, 3))
    >>> traced(tf.ones((2, 1, 1, 3))).shape, TracedModel.of(traced, (1, 1, 3)) is traced
    (TensorShape([2, 3]), True)
    """

    def __init__(self, model: keras.Model | Callable, image_shape: tuple[int, ...]):
        self.model, self.forward = model, inference(model)
        if isinstance(model, keras.layers.Layer) and not model.built:
            # Variables cannot be made inside a graph.
            self.forward(tf.zeros((1, *image_shape)))
        images, labels = tf.TensorSpec((None, *image_shape)), tf.TensorSpec((None,), tf.int32)
        self._logits = trace(self.forward, images)
        self._slopes = trace(self.slopes_in_graph, images, labels)

    @staticmethod
    def of(
        model: "keras.Model | Callable | TracedModel", image_shape: tuple[int, ...]
    ) -> "TracedModel":
        """The model itself if it is traced already."""
        return model if isinstance(model, TracedModel) else TracedModel(model, image_shape)

    @functools.cached_property
    def graph(self) -> typing.Any:
        """The concrete function from images to logits."""
        return self._logits.get_concrete_function()

    def __call__(self, x: np.ndarray | tf.Tensor) -> tf.Tensor:
        """Logits at images, (b, k)."""
        return self._logits(x)

    def slopes(
        self, x: np.ndarray | tf.Tensor, y: np.ndarray
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Logits and, for each of `LOSSES`, its gradient; {} where there is none."""
        return self._slopes(x, y)

    def slopes_in_graph(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Like `slopes`, with or without a graph."""
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits = self.forward(x)
            totals = {name: tf.reduce_sum(loss(y, logits)) for name, loss in LOSSES.items()}
        slopes = {name: tape.gradient(total, x) for name, total in totals.items()}
        return logits, {name: slope for name, slope in slopes.items() if slope is not None}


def trace(function: Callable, *signature: tf.TensorSpec) -> typing.Any:
    """`function` as a graph, without AutoGraph, as the attacks see it.

    Example:
    >>> trace(lambda x: 2 * x, tf.TensorSpec((None,)))(tf.constant([1.0])).numpy().tolist()
    [2.0]
    """
    # A partial, since TensorFlow takes functions of one source line for one that is traced again.
    return tf.function(functools.partial(function), signature, autograph=False)
