"""A classifier in segments, each of which is computed again for gradients in place of being kept."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfrobust.compat import all_layers, find_origin
from tfrobust.errors import UserError
from tfrobust.ops import statistics
from tfrobust.ops.rematerialize import rematerialize

_thread = threading.local()


def divide(classifier: keras.Model, where: Any) -> "Segments | None":
    """The segments of a classifier.

    Args:
        classifier: a built functional or sequential model.
        where: False for none; True to cut after each layer that joins several tensors, as the blocks of
            residual networks do, or after every fourth layer where none does; or a sequence of names of
            layers to cut after.

    Raises:
        UserError: for another kind of model, and for a layer beside which something else goes on.
    """
    if where is False:
        return None
    if not getattr(classifier, "inputs", None) or len(classifier.inputs) != 1:
        raise UserError(
            f"`rematerialize` cuts functional and sequential models. {classifier.name!r} is a "
            f"{type(classifier).__name__}: leave out rematerialize."
        )
    order, narrow = _find_narrow(classifier.inputs[0], classifier.outputs[0])
    if where is True:
        cuts = [t for t in narrow if len(find_origin(t)[1]) > 1]
        cuts = cuts or narrow[3:-1:4]
    else:
        by_name = {find_origin(t)[0].name: t for t in narrow}
        for name in (
            where if isinstance(where, Sequence) and not isinstance(where, str) else [where]
        ):
            if name not in by_name:
                raise UserError(
                    f"`rematerialize` must be True, False or names of layers through which everything goes. "
                    f"Received: {name!r}. There are: {', '.join(by_name)}."
                )
        cuts = [t for t in narrow if find_origin(t)[0].name in where]
    ends = [*cuts, classifier.outputs[0]]
    begins = [classifier.inputs[0], *cuts]
    return Segments(classifier, [keras.Model(a, b) for a, b in zip(begins, ends, strict=True)])


def _find_narrow(begin, end):
    """The tensors in the order in which they are computed, and those of them that all others go through."""
    order: list[Any] = []
    last_use: dict[int, int] = {}
    stack, seen = [(end, False)], set()
    while stack:
        tensor, ready = stack.pop()
        if ready:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            if tensor is not begin:
                stack += [(source, False) for source in find_origin(tensor)[1]]
    places = {id(tensor): place for place, tensor in enumerate(order)}
    for tensor in order:
        for source in find_origin(tensor)[1] if tensor is not begin else ():
            last_use[id(source)] = max(last_use.get(id(source), 0), places[id(tensor)])
    narrow, open_until = [], 0
    for place, tensor in enumerate(order):
        if 0 < place < len(order) - 1 and open_until <= place:
            narrow.append(tensor)
        open_until = max(open_until, last_use.get(id(tensor), 0))
    return order, narrow


class Segments:
    """The segments of one classifier, whose layers they share."""

    def __init__(self, classifier: keras.Model, models: list[keras.Model]) -> None:
        self.classifier, self._models = classifier, models

    def __len__(self):
        return len(self._models)

    def run(self, x, weights, state, training):
        """Logits, the losses that layers add, those of weights last, and the new state.

        Args:
            x: images, (b, h, w, c).
            weights, state: lists of pairs of a variable and its value.
            training: as for the classifier.
        """
        values = {id(variable): value for variable, value in (*weights, *state)}
        of_images, of_weights, moved = [], [], {}
        for model in self._models:
            x, added, new = _run(model, x, values, training)
            count = sum(v.regularizer is not None for v in model.trainable_variables)
            of_images += added[: len(added) - count]
            of_weights += added[len(added) - count :]
            moved |= {id(variable): value for variable, value in new}
        state = [(variable, moved.get(id(variable), value)) for variable, value in state]
        return x, of_images + of_weights, state


def _run(model, x, values, training):
    trainable, constant = model.trainable_variables, model.non_trainable_variables
    state = [(v, values[id(v)]) for v in constant]
    mode = statistics.current()
    captured = None if mode is None else mode.captured
    imposed = captured is not None and mode.source == "imposed"
    layers = [layer for layer in all_layers(model) if imposed and layer in captured]
    moments = [moment for layer in layers for moment in captured.of(layer)]
    first: dict[str, Any] = {}

    def compute(x, *given):
        own = None if captured is None else statistics.Captured()
        for place, layer in enumerate(layers):
            own.record(layer, *given[len(trainable) + 2 * place :][:2])
        mapping = [*zip(trainable, given, strict=False), *state]
        with (
            statistics.reopen(mode, own),
            keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope,
        ):
            y = model(x, training=training)
            losses = model.losses
        # Of the first time: what is computed again moves nothing.
        if not first:
            first["state"] = [(v, scope.get_current_value(v)) for v in constant]
            first["layers"] = [] if imposed or own is None else list(own.layers())
            first["losses"] = len(losses)
        seen = [moment for layer in first["layers"] for moment in own.of(layer)]
        return [y, *losses, *seen]

    weights = [tf.convert_to_tensor(values[id(v)]) for v in trainable]
    y, *found = rematerialize(compute)(x, *weights, *moments)
    losses, seen = found[: first["losses"]], found[first["losses"] :]
    for place, layer in enumerate(first["layers"]):
        captured.record(layer, *seen[2 * place :][:2])
    return y, losses, first["state"]


@contextlib.contextmanager
def running(segments: Segments | None) -> Iterator[None]:
    """The passes of a loss that are traced inside go through these segments; None for whole passes."""
    former, _thread.segments = getattr(_thread, "segments", None), segments
    try:
        yield
    finally:
        _thread.segments = former


def current(classifier: keras.Model) -> Segments | None:
    """The segments through which passes of a classifier go here, or None."""
    segments = getattr(_thread, "segments", None)
    return segments if segments is not None and segments.classifier is classifier else None
