"""What a regularizer may ask of the running step."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import tensorflow as tf

from tfrobust.ops.replicas.global_batch import GlobalBatch

Shifts = Sequence[tf.Tensor | None]


class TermContext(Protocol):
    """The part of `methods.context.StepContext`, documented there, that regularizers use.

    Attributes:
        y: labels, (b,).
        batch: the `GlobalBatch`.
        epoch: epochs that have passed, a float32 scalar.
        point: the point in weight space, with `classifier`, `variables` and `forward`.
        step: the `Step`, with the random keys.
    """

    y: tf.Tensor
    batch: GlobalBatch
    epoch: tf.Tensor
    point: Any
    step: Any

    def x(self, name: str) -> tf.Tensor:
        """The images at a point, (b, h, w, c)."""

    def logits(self, name: str) -> tf.Tensor:
        """Logits at a point in training mode, (b, k), by the shared pass."""

    def pullback(self, name: str, vectors: tf.Tensor) -> tf.Tensor:
        """The gradient of <vectors, logits> with respect to the images, (b, h, w, c)."""

    def expect(self, name: str, direction: Shifts | None = None, order: int = 1) -> None:
        """Says before the shared pass that derivatives, or passes aside, will be asked for."""

    def derivatives(self, name: str, direction: Shifts, order: int = 1) -> tuple[tf.Tensor, ...]:
        """Derivatives of the logits along a direction in weight space, each (b, k)."""

    def logits_aside(self, name: str, shifts: Shifts | None = None) -> tf.Tensor:
        """Logits at shifted weights, (b, k), by a pass that moves no statistics."""

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make()` returned for this key in this step."""

    def record(self, name: str, values: tf.Tensor) -> tf.Tensor:
        """Notes values per example, (b,), for the logs, and returns them."""
