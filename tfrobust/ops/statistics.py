"""Contexts that choose the statistics by which BatchNormalization normalises in a forward pass.

Without a context the `training` argument decides, as everywhere in Keras. A context overrides it
for every `tfrobust.models.BatchNormalization` that is called inside.

The contexts are read while a layer is called, that is when a `tf.function` is traced, and belong
to one thread. So open them inside the function that is traced and, under a distribution strategy,
inside the function that `strategy.run` calls. A `tf.function` that was traced under one context
keeps it: give `current()` to it as an argument where one function serves several contexts.
"""

import contextlib
import dataclasses
import threading
from contextlib import AbstractContextManager

import keras
import tensorflow as tf

from tfrobust.errors import UserError

_thread = threading.local()


class Captured:
    """The batch statistics of one forward pass: layer -> (mean, variance), tensors of shape (c,).

    They carry gradients to the weights and the inputs of the pass that they come from.
    """

    def __init__(self):
        self._statistics = {}

    def record(self, layer: keras.layers.Layer, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Keeps a layer's statistics. A second pass inside the same context is an error."""
        if layer in self._statistics:
            raise UserError(
                f"`capture_statistics` recorded layer {layer.name!r} twice, and it is not known which "
                "pass counts. Open it around one forward pass that calls each BatchNormalization once."
            )
        self._statistics[layer] = (mean, variance)

    def of(self, layer: keras.layers.Layer) -> tuple[tf.Tensor, tf.Tensor]:
        """The (mean, variance) that were recorded for `layer`."""
        if layer not in self._statistics:
            raise UserError(
                f"`impose_statistics` has none for layer {layer.name!r}: "
                "capture them first, by a forward pass of the same model in `capture_statistics`."
            )
        return self._statistics[layer]

    def layers(self) -> list[keras.layers.Layer]:
        """The layers whose statistics were recorded, in their order."""
        return list(self._statistics)

    def __contains__(self, layer):
        return layer in self._statistics

    def __len__(self):
        return len(self._statistics)


@dataclasses.dataclass(frozen=True)
class Mode:
    """What a context asks of a layer: `source` is "batch", "running" or "imposed"."""

    source: str
    update: bool = False
    captured: Captured | None = None


def current() -> Mode | None:
    """The innermost open context's `Mode`, or None where `training` decides."""
    return getattr(_thread, "mode", None)


def batch_statistics(*, update: bool = True) -> AbstractContextManager[None]:
    """Normalise by the batch, whatever `training` says.

    `batch_statistics(update=False)` is an attack or an extra loss pass in train mode that must not
    change the running statistics.

    Args:
        update: whether the running statistics move.
    """
    return _open(Mode("batch", update=bool(update)))


def running_statistics() -> AbstractContextManager[None]:
    """Normalise by the running statistics, whatever `training` says; they do not move."""
    return _open(Mode("running"))


def capture_statistics(*, update: bool = True) -> AbstractContextManager[Captured]:
    """Normalise by the batch and record what each layer used; gives a `Captured`.

    For methods that normalise several passes by the statistics of one (LLR: the clean images').

    Args:
        update: whether the running statistics move.
    """
    captured = Captured()
    return _open(Mode("batch", update=bool(update), captured=captured), captured)


def impose_statistics(captured: Captured) -> AbstractContextManager[None]:
    """Normalise by what `capture_statistics` recorded; the running statistics do not move.

    Gradients flow into the recorded pass; use `tf.stop_gradient` there if they must not.

    Args:
        captured: the `Captured` of an earlier pass of the same model, in the same graph.
    """
    if not isinstance(captured, Captured):
        raise UserError(
            f"`impose_statistics` takes what `capture_statistics` gave. Received: {captured!r}."
        )
    return _open(Mode("imposed", captured=captured))


def reopen(mode: Mode | None, captured: Captured | None) -> AbstractContextManager[None]:
    """A context that was open before, as for what is computed again, with other captured statistics."""
    return _open(mode if mode is None else dataclasses.replace(mode, captured=captured))


@contextlib.contextmanager
def _open(mode, value=None):
    outer = current()
    _thread.mode = mode
    try:
        yield value
    finally:
        _thread.mode = outer
