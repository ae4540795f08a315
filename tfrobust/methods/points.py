"""The point in weight space at which a step takes its loss."""

import keras
import tensorflow as tf

from tfrobust.ops.logits import full_precision


class LivePoint:
    """The classifier's own weights. BatchNormalization's statistics move as in plain training."""

    def __init__(self, classifier):
        self._classifier = classifier
        self._losses = None

    def forward(self, x):
        """Logits in training mode."""
        logits = self._classifier(x, training=True)
        if self._losses is None:
            self._losses = self._classifier.losses
        return full_precision(logits)

    def penalty(self):
        """Weight and activity regularisation, the latter as of the first forward pass."""
        return _total(self._losses)

    def commit(self):
        """Nothing to do: the forward passes have moved the statistics."""


class ShiftedPoint:
    """Weights given as tensors. They are never assigned, so there is nothing to restore.

    State that the forward passes move (BatchNormalization's statistics, dropout's seeds) goes from
    one pass to the next, and into the classifier only by `commit`.
    """

    def __init__(self, classifier, weights):
        self._classifier = classifier
        self._weights = list(zip(classifier.trainable_variables, weights, strict=True))
        self._state = [(v, v.value) for v in classifier.non_trainable_variables]
        self._losses = None

    def forward(self, x):
        """Logits in training mode."""
        # Not `stateless_call`, which skips what `__call__` does: casts, a `training` that a
        # subclassed model's `call` does not name.
        mapping = self._weights + self._state
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            logits = self._classifier(x, training=True)
            if self._losses is None:
                self._losses = self._classifier.losses
        self._state = [(v, scope.get_current_value(v)) for v, _ in self._state]
        return full_precision(logits)

    def penalty(self):
        """Weight and activity regularisation at these weights, the latter as of the first forward pass."""
        return _total(self._losses)

    def commit(self):
        """Assigns the state that the forward passes have moved."""
        for variable, value in self._state:
            variable.assign(value)


def _total(losses):
    return tf.add_n([full_precision(tf.reduce_sum(loss)) for loss in losses]) if losses else 0.0


def perturbed_inference(classifier, perturbation, keys, epoch):
    """A function from images to logits in inference mode, at weights that noise has moved."""
    weights = [tf.convert_to_tensor(v.value) for v in classifier.trainable_variables]
    shifts = perturbation(None, weights, keys, epoch)
    mapping = [
        (v, w + shift)
        for v, w, shift in zip(classifier.trainable_variables, weights, shifts, strict=True)
    ]

    def forward(x):
        with keras.StatelessScope(state_mapping=mapping):
            return full_precision(classifier(x, training=False))

    return forward


def shifted_point(classifier, perturbation, loss_at, keys, epoch):
    """The function that makes the point w + v, with v found by `perturbation` at the present state.

    It is called inside the tape that differentiates with respect to w, so that w is seen and v is
    constant.
    """
    weights = [tf.convert_to_tensor(v.value) for v in classifier.trainable_variables]
    shifts = perturbation(
        lambda tensors: loss_at(ShiftedPoint(classifier, tensors)), weights, keys, epoch
    )
    shifts = [tf.stop_gradient(shift) for shift in shifts]

    def make():
        live = [v.value for v in classifier.trainable_variables]
        return ShiftedPoint(classifier, [w + shift for w, shift in zip(live, shifts, strict=True)])

    return make
