"""A classifier and some examples, and what the checks ask about both."""

import functools
import typing
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfrobust.losses.logit_objectives import DLR, Margin
from tfrobust.losses.objectives import CrossEntropy
from tfrobust.ops.logits import correct, inference
from tfrobust.threat_models.base import ThreatModel

LOSSES = {"cross-entropy": CrossEntropy(), "margin": Margin(), "DLR": DLR()}


class Probe:
    """Asks a classifier about examples; every question is traced once, for any number of them.

    Args:
        model: Keras model or callable, images to logits.
        x: images, float32 (n, h, w, c).
        y: labels, integers (n,).
        ids: names of the examples, integers (n,), or None for their places.
        threat_model: `ThreatModel`.
        has_gradient: whether TensorFlow can differentiate the model.
        has_scores: whether its logits say more than the predicted class.
        count: only so many examples are looked at, the first ones.

    Example:
    >>> x, y = np.full((3, 2, 2, 1), 0.25, "float32"), np.zeros(3, int)
    >>> model = lambda x: tf.concat([x[:, 0, 0], x[:, 0, 0] - 1], axis=1)
    >>> probe = Probe(model, x, y, None, tfrobust.Linf(0.1), True, True, count=2)
    >>> probe.clean_logits.shape, int(probe.clean.sum()), sorted(probe.clean_slopes)
    ((2, 2), 2, ['DLR', 'cross-entropy', 'margin'])
    """

    def __init__(
        self,
        model: keras.Model | Callable,
        x: np.ndarray,
        y: np.ndarray,
        ids: np.ndarray | None,
        threat_model: ThreatModel,
        has_gradient: bool,
        has_scores: bool,
        count: int,
    ):
        self.total = len(x)
        self.x, self.y = np.asarray(x[:count], np.float32), np.asarray(y[:count], np.int32)
        self.ids = np.arange(len(self.x)) if ids is None else np.asarray(ids)[:count]
        self.threat_model = threat_model
        self.has_gradient, self.has_scores = has_gradient, has_scores
        self.model, self.forward = model, inference(model)
        if isinstance(model, keras.layers.Layer) and not model.built:
            self.forward(self.x[:1])  # Variables cannot be made inside a graph.
        self._images = tf.TensorSpec((None, *self.x.shape[1:]), tf.float32)
        labels = tf.TensorSpec((None,), tf.int32)
        self._logits = self.compile(self.forward, self._images)
        self._slopes = self.compile(self.slopes_in_graph, self._images, labels)

    @staticmethod
    def compile(function: Callable, *signature: tf.TensorSpec) -> typing.Any:
        """`function` as a graph, without AutoGraph, as the attacks see it."""
        # A partial, since TensorFlow takes functions of one source line for one that is traced again.
        function = functools.partial(function)
        return tf.function(function, signature or None, autograph=False)

    @functools.cached_property
    def graph(self) -> typing.Any:
        """The concrete function from images to logits."""
        return self._logits.get_concrete_function()

    def logits(self, x: np.ndarray | tf.Tensor) -> np.ndarray:
        """Logits at images, a numpy array (b, k)."""
        return self._logits(x).numpy()

    def right(self, x: np.ndarray | tf.Tensor) -> np.ndarray:
        """Which images are classified as their examples' labels, boolean (n,)."""
        return correct(tf.constant(self.y), tf.constant(self.logits(x))).numpy()

    @functools.cached_property
    def clean_logits(self) -> np.ndarray:
        """Logits at the clean images, (n, k)."""
        return self.logits(self.x)

    @functools.cached_property
    def clean(self) -> np.ndarray:
        """Which examples are right at the clean image, boolean (n,)."""
        return correct(tf.constant(self.y), tf.constant(self.clean_logits)).numpy()

    def slopes(self, x: np.ndarray | tf.Tensor) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Logits and, for each of `LOSSES`, its gradient; {} where there is none. Numpy arrays."""
        logits, slopes = self._slopes(x, self.y[: len(x)])
        return logits.numpy(), {name: slope.numpy() for name, slope in slopes.items()}

    @functools.cached_property
    def clean_slopes(self) -> dict[str, np.ndarray]:
        """The gradients of `slopes` at the clean images."""
        return self.slopes(self.x)[1]

    @functools.cached_property
    def differentiable(self) -> bool:
        """Whether there is any gradient with respect to the pixels."""
        return self.has_gradient and bool(self.clean_slopes)

    def slopes_in_graph(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Like `slopes`, in TensorFlow, with or without a graph."""
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits = self.forward(x)
            totals = {name: tf.reduce_sum(loss(y, logits)) for name, loss in LOSSES.items()}
        slopes = {name: tape.gradient(total, x) for name, total in totals.items()}
        return logits, {name: slope for name, slope in slopes.items() if slope is not None}
