"""A Keras model as a list of operations that bounds go through."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.bounds.arithmetic import PROOF, Arithmetic
from tfrobust.bounds.interval import Interval
from tfrobust.bounds.operation import Images, Operation
from tfrobust.bounds.rules import check_precision, find_operations
from tfrobust.compat import Functional, find_origin
from tfrobust.errors import UserError

_SAMPLES = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One operation of a network.

    Args:
        operation: `Operation`; `Images` for the first.
        sources: numbers of the nodes of which it takes the outputs.
        name: of the layer.
        shape: of its output, without the batch.
    """

    operation: Operation
    sources: tuple[int, ...]
    name: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A Keras model as operations, in an order in which they can be computed; the first is the input.

    The weights are read where bounds are computed, so that a network stays right while its model is
    trained.

    Args:
        nodes: sequence of `Node`; the last one gives the logits.
        model: the Keras model.

    Example:
    >>> from tfrobust.bounds import read_network
    >>> network = read_network(tfrobust.models.digits_cnn())
    >>> len(network.nodes), network.num_classes
    (14, 10)
    """

    nodes: Sequence[Node]
    model: keras.Model

    @property
    def num_classes(self) -> int:
        """k."""
        return self.nodes[-1].shape[0]

    def propagate(
        self, box: Interval, arithmetic: Arithmetic
    ) -> tuple[list[Interval], dict[int, tf.Tensor]]:
        """Boxes around all outputs, operation by operation: interval bound propagation.

        Args:
            box: of images, (b, h, w, c).
            arithmetic: `Arithmetic`.

        Returns:
            For each node its `Interval`, rounding included; and for those that round, by number, how far
            rounding may move each output, (b, ...).
        """
        boxes = [Interval(arithmetic.cast(box.lower), arithmetic.cast(box.upper))]
        errors: dict[int, tf.Tensor] = {}
        for number, node in enumerate(self.nodes[1:], start=1):
            inputs = [boxes[source] for source in node.sources]
            exact, error = node.operation.bound(inputs, arithmetic)
            boxes.append(exact.widen(error))
            if error is not None:
                errors[number] = error
        return boxes, errors


def read_network(model: keras.Model, for_proof: bool = True) -> Network:
    """Reads a Keras model's graph of layers, models inside it included.

    Args:
        model: a built functional or sequential model, from images (b, h, w, c) in [0, 1] to logits (b, k).
        for_proof: also check that it computes in float32, and that its logits at a few images lie within
            the bounds of rounding that are found for them. Training by bounds needs neither.

    Returns:
        `Network`.

    Raises:
        UserError: the model is of another kind, a layer has no rule (it is named), or the check fails.

    Example:
    >>> from tfrobust.bounds import read_network
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> [node.name for node in read_network(model).nodes][1:] == [layer.name for layer in model.layers]
    True
    """
    contract.check_classifier(model, "model")
    if not isinstance(model, (Functional, keras.Sequential)) or len(model.inputs) != 1:
        raise UserError(
            f"Bounds need a functional or sequential model with one input, whose layers can be read. "
            f"{model.name!r} is a {type(model).__name__}. Randomised smoothing (suite='smoothing') "
            "takes any classifier."
        )
    nodes = [Node(Images(), (), model.inputs[0].name, tuple(model.inputs[0].shape[1:]))]
    if None in nodes[0].shape:
        raise UserError(
            f"Bounds need images of a known size. {model.name!r} takes {model.inputs[0].shape}."
        )
    last = _read(model, 0, nodes, for_proof)
    if last != len(nodes) - 1:
        raise UserError(f"The model {model.name!r} does nothing to its images.")
    network = Network(tuple(nodes), model)
    if for_proof:
        _compare(network)
    return network


def _read(model, begin, nodes, for_proof):
    """Appends the nodes of a model whose input is the output of node `begin`; the number of its output."""
    # Depth first by a stack: real networks are deeper than Python recurses.
    places = {id(model.inputs[0]): begin}
    stack = [model.outputs[0]]
    while stack:
        tensor = stack[-1]
        if id(tensor) in places:
            stack.pop()
            continue
        layer, sources = find_origin(tensor)
        missing = [source for source in sources if id(source) not in places]
        if missing:
            stack += missing
            continue
        places[id(tensor)] = _append(
            layer, [places[id(source)] for source in sources], sources, tensor, nodes, for_proof
        )
        stack.pop()
    return places[id(model.outputs[0])]


def _append(layer, places, sources, tensor, nodes, for_proof):
    if isinstance(layer, (Functional, keras.Sequential)):
        if len(layer.inputs) != 1 or len(layer.outputs) != 1:
            raise UserError(
                f"Bounds go through models inside of a model if they have one input and one output. "
                f"{layer.name!r} has {len(layer.inputs)} and {len(layer.outputs)}. Randomised smoothing "
                "(suite='smoothing') takes any classifier."
            )
        return _read(layer, places[0], nodes, for_proof)
    if for_proof:
        check_precision(layer)
    shapes = [tuple(source.shape) for source in sources]
    for operation in find_operations(layer, shapes, tuple(tensor.shape)):
        nodes.append(Node(operation, tuple(places), layer.name, tuple(tensor.shape[1:])))
        places = [len(nodes) - 1]
    return places[0]


def _compare(network):
    """Raises `UserError` unless the model's own logits lie in the boxes of single images."""
    x = np.random.default_rng(0).random((_SAMPLES, *network.nodes[0].shape), np.float32)
    logits = np.asarray(network.model(x, training=False), np.float64)
    box = Interval(tf.constant(x), tf.constant(x))
    lower, upper = (part.numpy() for part in network.propagate(box, PROOF)[0][-1])
    if not (np.isfinite(lower) & np.isfinite(upper)).all():
        raise UserError(
            f"Rounding alone may move the logits of {network.model.name!r} without limit, or they are not "
            "finite: its layers, one behind the other, are too many or too large for bounds. Nothing can be "
            "proven so. Randomised smoothing (suite='smoothing') takes any classifier."
        )
    if not ((lower <= logits) & (logits <= upper)).all():
        off = float(np.max(np.maximum(lower - logits, logits - upper)))
        raise UserError(
            f"The logits of {network.model.name!r} lie up to {off:.2g} outside the bounds of their own "
            "rounding: what its layers compute is not what their rules say. Layers whose `call` was changed, "
            "TensorFloat-32 on a GPU (tf.config.experimental.enable_tensor_float_32_execution(False)), or a "
            "convolution with strides (1, n) and padding, which TensorFlow computes wrongly on some "
            "processors, may be why; nothing can be certified."
        )
