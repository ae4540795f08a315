"""A classifier and some examples, and what the checks ask about both."""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfrobust.evaluation.checks.traced import TracedModel
from tfrobust.ops.logits import correct
from tfrobust.threat_models.base import ThreatModel


class Probe:
    """Asks a classifier about examples; every question is traced once, for any number of them.

    Args:
        model: Keras model or callable, images to logits, or a `TracedModel`.
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
        model: keras.Model | Callable | TracedModel,
        x: np.ndarray,
        y: np.ndarray,
        ids: np.ndarray | None,
        threat_model: ThreatModel,
        has_gradient: bool,
        has_scores: bool,
        count: int,
    ):
        self.total = len(y)
        self.x, self.y = np.asarray(x[:count], np.float32), np.asarray(y[:count], np.int32)
        self.ids = np.arange(len(self.x)) if ids is None else np.asarray(ids)[:count]
        self.threat_model = threat_model
        self.has_gradient, self.has_scores = has_gradient, has_scores
        self.traced = TracedModel.of(model, self.x.shape[1:])
        self.model, self.forward = self.traced.model, self.traced.forward

    def logits(self, x: np.ndarray | tf.Tensor) -> np.ndarray:
        """Logits at images, a numpy array (b, k)."""
        return self.traced(x).numpy()

    def right(self, x: np.ndarray | tf.Tensor, rows: np.ndarray | None = None) -> np.ndarray:
        """Which images are classified as the labels of their examples, those in `rows` or all, boolean."""
        y = self.y if rows is None else self.y[rows]
        return correct(tf.constant(y), tf.constant(self.logits(x))).numpy()

    @functools.cached_property
    def clean_logits(self) -> np.ndarray:
        """Logits at the clean images, (n, k)."""
        return self.logits(self.x)

    @functools.cached_property
    def clean(self) -> np.ndarray:
        """Which examples are right at the clean image, boolean (n,)."""
        return correct(tf.constant(self.y), tf.constant(self.clean_logits)).numpy()

    def slopes(self, x: np.ndarray | tf.Tensor) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Logits and, for each of `traced.LOSSES`, its gradient; {} where there is none. Numpy arrays."""
        logits, slopes = self.traced.slopes(x, self.y[: len(x)])
        return logits.numpy(), {name: slope.numpy() for name, slope in slopes.items()}

    @functools.cached_property
    def clean_slopes(self) -> dict[str, np.ndarray]:
        """The gradients of `slopes` at the clean images."""
        return self.slopes(self.x)[1]

    @functools.cached_property
    def differentiable(self) -> bool:
        """Whether there is any gradient with respect to the pixels."""
        return self.has_gradient and bool(self.clean_slopes)

    def step(
        self,
        slope: np.ndarray,
        length: float | None = None,
        start: np.ndarray | tf.Tensor | None = None,
        radius: float | None = None,
    ) -> tf.Tensor:
        """Images one step along a gradient from `start`, cut to ball and box.

        Args:
            slope: gradients; what is not finite counts as 0, as in the attacks.
            length: of the step; the radius if None.
            start: where it begins; the clean images if None.
            radius: that of the threat model if None.
        """
        radius = self.threat_model.radius() if radius is None else radius
        finite = tf.constant(np.where(np.isfinite(slope), slope, 0).astype(np.float32))
        move = (radius if length is None else length) * self.threat_model.steepest(finite)
        return self.threat_model.project(
            (self.x if start is None else start) + move, self.x, radius
        )
