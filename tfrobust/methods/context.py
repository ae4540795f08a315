"""What the parts of a step may see."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

import tensorflow as tf

from tfrobust.attacks.case import Perturbation
from tfrobust.errors import UserError
from tfrobust.methods.per_example import check_per_example
from tfrobust.methods.points import Point
from tfrobust.ops.half_precision import inner_scale
from tfrobust.ops.random.keys import BatchKeys
from tfrobust.ops.replicas.global_batch import GlobalBatch
from tfrobust.regularizers.context import Shifts


class Step(NamedTuple):
    """What a training step begins with.

    Attributes:
        x: clean images, (b, h, w, c).
        y: labels, int32 (b,), or soft ones, floating-point (b, k).
        batch: the `GlobalBatch`.
        epoch: epochs that have passed, a float32 scalar.
        number: steps made before this one, an int64 scalar.
        attack_keys: random keys of the attack.
        loss_keys: random keys of the loss's terms, such as random projections.
        weight_keys: random keys that are the same on every replica, for noise on the weights.
    """

    x: tf.Tensor
    y: tf.Tensor
    batch: GlobalBatch
    epoch: tf.Tensor
    number: tf.Tensor
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
        declared: names that may be recorded, or None for any.
    """

    def __init__(
        self,
        point: Point,
        step: Step,
        points: dict[str, tf.Tensor],
        perturbation: Perturbation | None,
        watched: Iterable[str] = (),
        declared: tuple[str, ...] | None = None,
    ) -> None:
        self.point = point
        self.step = step
        self.y, self.batch, self.epoch = step.y, step.batch, step.epoch
        self.points = points
        self.perturbation: Any = perturbation
        self.parts: dict[str, tf.Tensor] = {}
        self.declared = declared
        self._part, self._values = "A part of the loss", cast(list[tf.Tensor], [])
        self._watched = frozenset(watched)
        self._logits: dict[str, tf.Tensor] = {}
        self._tapes: dict[str, tf.GradientTape] = {}
        self._expected: dict[str, tuple] = {}
        self._before: dict[str, Any] = {}
        self._derivatives: dict[str, tuple] = {}
        self._shared: dict[Any, Any] = {}

    def x(self, name: str) -> tf.Tensor:
        """The images at a point, (b, h, w, c)."""
        if name not in self.points:
            raise UserError(
                f"This method has no point named {name!r}. It has: {sorted(self.points)}."
            )
        return self.points[name]

    def logits(self, name: str) -> tf.Tensor:
        """Logits at a point in training mode, shape (b, k): computed on first use, then shared."""
        if name not in self._logits:
            x = self.x(name)
            if name in self._expected:
                self._before[name] = self.point.shifted()
            if name in self._watched:
                with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                    tape.watch(x)
                    self._logits[name] = self._forward(name, x)
                self._tapes[name] = tape
            else:
                self._logits[name] = self._forward(name, x)
        return self._logits[name]

    def _forward(self, name, x):
        direction, order = self._expected.get(name, (None, 0))
        if direction is None:
            return self.point.forward(x)
        logits, derivatives = self.point.directional(x, direction, order)
        self._derivatives[name] = (direction, derivatives)
        return logits

    def expect(self, name: str, direction: Shifts | None = None, order: int = 1) -> None:
        """Says before a point's shared pass that a term will ask for `derivatives` or `logits_aside`.

        The pass then carries the derivatives along, and passes aside draw the same dropout masks. A
        second direction at the same point gets a pass of its own.

        Args:
            name: of the point.
            direction, order: see `derivatives`; None for passes aside only.
        """
        if self._expected.get(name, (None,))[0] is None:
            self._expected[name] = (direction, order)

    def derivatives(self, name: str, direction: Shifts, order: int = 1) -> tuple[tf.Tensor, ...]:
        """Derivatives of a point's logits along a direction in weight space, by forward mode.

        They come from the shared pass if the direction (the same list) was `expect`ed before it,
        otherwise from a pass that leaves no trace. A tape may differentiate them once more.

        Args:
            name: of the point.
            direction: list of a tensor for each trainable weight, or None where it stays.
            order: 1 or 2.

        Returns:
            (J u,) or (J u, u^T H u), tensors of shape (b, k).
        """
        known, derivatives = self._derivatives.get(name, (None, ()))
        if known is direction and len(derivatives) >= order:
            return derivatives[:order]
        return self._aside(name).directional(self.x(name), direction, order)[1]

    def logits_aside(self, name: str, shifts: Shifts | None = None) -> tf.Tensor:
        """Logits at a point, in training mode at the weights plus shifts, by a pass that leaves no trace.

        Running statistics do not move; without shifts it is the shared pass, where there is one.

        Args:
            name: of the point.
            shifts: list of a tensor for each trainable weight, or None where it stays.
        """
        if shifts is None and name in self._logits:
            return self._logits[name]
        return self._aside(name, shifts).forward(self.x(name))

    def _aside(self, name, shifts=None):
        return self._before.get(name, self.point).shifted(shifts)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make()` returned for this key in this step, so that several terms share it."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def pullback(self, name: str, vectors: tf.Tensor) -> tf.Tensor:
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
        logits, scale = self.logits(name), inner_scale(self.point.classifier)
        pulled = self._tapes[name].gradient(
            logits, self.points[name], vectors * scale, unconnected_gradients="zero"
        )
        return pulled / scale

    def hold_back(self, gradients: Any) -> Any:
        """Gradients that wait until what was recorded has been found to be of shape (b,)."""
        with tf.control_dependencies([*self.parts.values(), *self._values]):
            return tf.nest.map_structure(
                lambda g: g if g is None else tf.identity(g), gradients, expand_composites=True
            )

    def computed(self) -> dict[str, tf.Tensor]:
        """Names and logits of the points that have been forwarded."""
        return dict(self._logits)

    def record(self, name: str, values: tf.Tensor) -> tf.Tensor:
        """Notes values per example, shape (b,), for the logs, and returns them.

        Raises:
            UserError: for a name that neither the method nor a regularizer has in `parts`, or values of
                another shape.
        """
        if self.declared is not None and name not in self.declared:
            raise UserError(
                f"{self._part} records a part that it does not declare: {name!r}. Add the name to the "
                f"class's `parts`, such as parts = ({name!r},). Declared are: {', '.join(self.declared)}."
            )
        self.parts[name] = check_per_example(values, self.y, f"{self._part}'s part {name!r}")
        return self.parts[name]

    def evaluate(self, part: Any, function: Callable[["StepContext"], tf.Tensor]) -> tf.Tensor:
        """What a method or a regularizer, `part`, returns from this context: values of shape (b,)."""
        former, self._part = self._part, type(part).__name__
        values = check_per_example(function(self), self.y, f"{self._part}.{function.__name__}")
        self._part = former
        self._values.append(values)
        return values
