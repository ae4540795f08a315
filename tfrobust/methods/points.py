"""The point in weight space at which a step takes its loss."""

import keras
import tensorflow as tf

from tfrobust.methods import segments
from tfrobust.methods.forward_mode_faults import name_fault
from tfrobust.ops import forward_mode, half_precision
from tfrobust.ops.logits import full_precision
from tfrobust.regularizers.context import Shifts


class Point:
    """What the two have in common.

    Attributes:
        classifier: the Keras model.
        shifts: what lies between the classifier's weights and this point, a list of tensors, constant;
            None at the weights themselves.
    """

    def __init__(self, classifier, shifts=None):
        self.classifier = classifier
        self.shifts = shifts
        self._losses = None

    def forward(self, x: tf.Tensor, training: bool = True) -> tf.Tensor:
        """Logits at these weights, (b, k)."""
        raise NotImplementedError

    def directional(
        self, x: tf.Tensor, direction: Shifts, order: int = 1
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Logits, and their derivatives along a direction in weight space."""
        raise NotImplementedError

    def shifted(self, shifts: Shifts | None = None) -> "ShiftedPoint":
        """The point at these weights plus shifts, from the present state."""
        raise NotImplementedError

    @property
    def variables(self):
        """The classifier's trainable variables, in the order in which shifts are listed."""
        return self.classifier.trainable_variables

    def penalty(self, batch=None):
        """Weight and activity regularisation at these weights, the latter as of the first forward pass.

        Args:
            batch: `GlobalBatch`, for this replica's share: an equal one of what belongs to the
                weights, and of what belongs to the images (a mean over them) as many as it holds.
        """
        losses = [full_precision(tf.reduce_sum(v)) for v in self._losses or ()]
        if batch is not None and not (isinstance(batch.parts, int) and batch.parts == 1):
            # Keras lists the penalties of weights last.
            regularized = sum(v.regularizer is not None for v in self.variables)
            shares = [1.0 / batch.parts] * regularized
            shares = [batch.local / batch.size] * (len(losses) - regularized) + shares
            losses = [loss * tf.cast(s, loss.dtype) for loss, s in zip(losses, shares, strict=True)]
        return tf.add_n(losses) if losses else 0.0


class LivePoint(Point):
    """The classifier's own weights. BatchNormalization's statistics move as in plain training."""

    def forward(self, x, training=True):
        """Logits, in training mode unless a term is defined in inference mode."""
        if segments.current(self.classifier) is not None:
            point = self.shifted()
            logits = point.forward(x, training)
            point.commit()
            self._losses = self._losses or point._losses
            return logits
        logits = self.classifier(x, training=training)
        if self._losses is None:
            self._losses = self.classifier.losses
        return full_precision(logits)

    def directional(self, x, direction, order=1):
        """As `forward`, with derivatives along a direction in weight space: see `ShiftedPoint`."""
        point = self.shifted()
        result = point.directional(x, direction, order)
        point.commit()
        if self._losses is None:
            self._losses = point._losses
        return result

    def shifted(self, shifts=None):
        """The `ShiftedPoint` at w + shifts, from the present state; what it does stays its own."""
        weights = [tf.convert_to_tensor(v.value) for v in self.variables]
        state = [
            (v, tf.convert_to_tensor(v.value)) for v in self.classifier.non_trainable_variables
        ]
        return ShiftedPoint(self.classifier, moved(weights, shifts), state)

    def commit(self):
        """Nothing to do: the forward passes have moved the statistics."""


class ShiftedPoint(Point):
    """Weights given as tensors. They are never assigned, so there is nothing to restore.

    State that the forward passes move (BatchNormalization's statistics, dropout's seeds) goes from
    one pass to the next, and into the classifier only by `commit`.
    """

    def __init__(self, classifier, weights, state=None, shifts=None):
        super().__init__(classifier, shifts)
        self._weights = list(zip(classifier.trainable_variables, weights, strict=True))
        self._state = state or [(v, v.value) for v in classifier.non_trainable_variables]

    def forward(self, x, training=True):
        """Logits, in training mode unless a term is defined in inference mode."""
        # Not `stateless_call`, which skips what `__call__` does: casts, a `training` that a
        # subclassed model's `call` does not name.
        parts = segments.current(self.classifier)
        if parts is not None:
            logits, losses, self._state = parts.run(x, self._weights, self._state, training)
            self._losses = losses if self._losses is None else self._losses
            return full_precision(logits)
        mapping = self._weights + self._state
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            logits = self.classifier(x, training=training)
            if self._losses is None:
                self._losses = self.classifier.losses
        self._state = [(v, scope.get_current_value(v)) for v, _ in self._state]
        return full_precision(logits)

    def directional(self, x, direction, order=1):
        """As `forward`, with derivatives of the logits along a direction in weight space.

        By forward mode: one vector for every example, in the same pass, which an outer tape may
        differentiate once more.

        Args:
            x: images, (b, h, w, c).
            direction: list of a tensor for each trainable weight, or None where it stays.
            order: 1, or 2 for second derivatives too.

        Returns:
            Logits, and a tuple of `order` tensors of their shape (b, k): (J u,) or (J u, u^T H u).

        Raises:
            UserError: that names a layer through which forward mode does not get.
        """
        weights = [weight for _, weight in self._weights]
        scale = half_precision.tangent_scale(self.classifier, weights, direction)
        shifts = [
            None if u is None else tf.cast(u, w.dtype) * scale for w, u in zip(weights, direction)
        ]

        def forward(x, *weights):
            point = ShiftedPoint(self.classifier, weights, list(self._state))
            with segments.running(None):
                logits = point.forward(x)
            return logits, point._losses, [value for _, value in point._state]

        logits, derivatives, losses, state = name_fault(
            self.classifier,
            lambda: forward_mode.differentiate_along(
                forward, [x, *weights], [None, *shifts], order
            ),
            lambda: forward(x, *weights),
        )
        if self._losses is None:
            self._losses = losses
        self._state = [(v, value) for (v, _), value in zip(self._state, state, strict=True)]
        return logits, tuple(d / scale ** (n + 1) for n, d in enumerate(derivatives))

    def shifted(self, shifts=None):
        """Another such point at these weights plus shifts, from this one's present state."""
        weights = [weight for _, weight in self._weights]
        return ShiftedPoint(self.classifier, moved(weights, shifts), list(self._state))

    def commit(self):
        """Assigns the state that the forward passes have moved."""
        for variable, value in self._state:
            variable.assign(value)


def moved(weights, shifts):
    """Weights plus shifts, lists of tensors; None among the shifts, or for all of them, adds nothing."""
    if shifts is None:
        return weights
    return [w if u is None else w + u for w, u in zip(weights, shifts, strict=True)]


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

    return half_precision.scale_gradients(forward, classifier)


def shifted_point(classifier, perturbation, loss_at, keys, epoch):
    """The function that makes the point w + v, with v found by `perturbation` of `loss_at(tensors)`.

    It is called inside the tape that differentiates with respect to w, so that w is seen and v is
    constant.
    """
    weights = [tf.convert_to_tensor(v.value) for v in classifier.trainable_variables]
    shifts = perturbation(loss_at, weights, keys, epoch)
    shifts = [tf.stop_gradient(shift) for shift in shifts]

    def make():
        live = [v.value for v in classifier.trainable_variables]
        return ShiftedPoint(classifier, moved(live, shifts), shifts=shifts)

    return make
