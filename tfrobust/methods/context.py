"""What the parts of a step may see."""

from typing import NamedTuple

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.global_batch import GlobalBatch
from tfrobust.ops.random import BatchKeys


class Step(NamedTuple):
    """What a training step begins with.

    Attributes:
        x: clean images, (b, h, w, c).
        y: labels, (b,).
        batch: the `GlobalBatch`.
        epoch: epochs that have passed, a float32 scalar.
        attack_keys: random keys of the attack.
        loss_keys: random keys of the loss's terms, such as random projections.
        weight_keys: random keys that are the same on every replica, for noise on the weights.
    """

    x: tf.Tensor
    y: tf.Tensor
    batch: GlobalBatch
    epoch: tf.Tensor
    attack_keys: BatchKeys
    loss_keys: BatchKeys
    weight_keys: BatchKeys


class StepContext:
    """Inputs, labels, named points and one shared forward pass for each of them.

    Attributes:
        step: the `Step`.
        y, batch, epoch: those of the step.
        point: the point in weight space, `LivePoint` or `ShiftedPoint`.
        points: dict from a point's name ("clean", "adversarial", ...) to its images, (b, h, w, c).
        perturbation: the `Perturbation` that the attack returned, or None.
        parts: dict from a part's name to its values per example, shape (b,): what is logged.
    """

    def __init__(self, point, step, points, perturbation, watched=()):
        self.point = point
        self.step = step
        self.y, self.batch, self.epoch = step.y, step.batch, step.epoch
        self.points = points
        self.perturbation = perturbation
        self.parts = {}
        self._watched = frozenset(watched)
        self._logits = {}
        self._tapes = {}

    def x(self, name):
        """The images at a point, (b, h, w, c)."""
        if name not in self.points:
            raise UserError(
                f"This method has no point named {name!r}. It has: {sorted(self.points)}."
            )
        return self.points[name]

    def logits(self, name):
        """Logits at a point in training mode, shape (b, k): computed on first use, then shared."""
        if name not in self._logits:
            x = self.x(name)
            if name in self._watched:
                with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                    tape.watch(x)
                    self._logits[name] = self.point.forward(x)
                self._tapes[name] = tape
            else:
                self._logits[name] = self.point.forward(x)
        return self._logits[name]

    def pullback(self, name, vectors):
        """J^T v: the gradient of <vectors, logits> with respect to the images at a point.

        It shares the point's forward pass and can be differentiated again, with respect to weights
        and vectors.
        With vectors = softmax(logits) - one-hot(y) it is the input gradient of the cross-entropy.

        Args:
            name: of a point that the method or a regularizer names in `watched`.
            vectors: shape (b, k).

        Returns:
            Shape of the images, (b, h, w, c).
        """
        logits = self.logits(name)
        return self._tapes[name].gradient(
            logits, self.points[name], vectors, unconnected_gradients="zero"
        )

    def computed(self):
        """Names and logits of the points that have been forwarded."""
        return dict(self._logits)

    def record(self, name, values):
        """Notes values per example, shape (b,), for the logs, and returns them."""
        self.parts[name] = values
        return values
