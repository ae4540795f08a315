"""How the graph of a functional or sequential model ends."""

from typing import Any, NamedTuple

import keras

from tfrobust.compat import Functional, find_origin

# What changes no number of logits or probabilities, in inference mode.
_SILENT = (
    keras.layers.Identity,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Reshape,
)
_TO_PROBABILITIES = ("softmax", "sigmoid")


class Tail(NamedTuple):
    """What a classifier's output comes out of.

    Attributes:
        kind: "logits", where the graph ends with a layer that gives any number; "probabilities", where
            it ends with a softmax or sigmoid; "unknown", where code of its own decides.
        activation: "softmax" or "sigmoid" where it gives probabilities, otherwise "".
        name: of the layer or operation.
    """

    kind: str
    activation: str = ""
    name: str = ""


def find_tail(model: keras.layers.Layer) -> Tail:
    """The `Tail` of a Keras model or layer; models at its end are looked into."""
    operation = find_last_operation(model)
    while isinstance(operation, keras.layers.Layer) and has_graph(operation):
        operation = find_last_operation(operation)
    if operation is None:
        return Tail("unknown")
    activation = find_activation(operation)
    if activation in _TO_PROBABILITIES:
        return Tail("probabilities", activation, operation.name)
    affine = (keras.layers.Dense, keras.layers.Conv2D)
    if isinstance(operation, affine) and activation == "linear":
        return Tail("logits", name=operation.name)
    return Tail("unknown", name=operation.name)


def find_activation(operation: keras.Operation) -> str:
    """The name of what a layer or operation does to each number at its end, such as "softmax", or ""."""
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    if isinstance(operation, keras.layers.Layer):
        return getattr(getattr(operation, "activation", None), "__name__", "")
    return type(operation).__name__.lower()


def find_last_operation(model: keras.layers.Layer) -> keras.Operation | None:
    """The layer or operation that gives a model's only output, but for those that leave it as it is.

    None where code of its own decides.
    """
    if not has_graph(model):
        return None
    if not model.built:
        layers = [layer for layer in model.layers if not is_silent(layer)]
        return layers[-1] if layers else None
    if len(model.outputs) != 1:
        return None
    tensor = model.outputs[0]
    while is_silent(find_origin(tensor)[0]):
        (tensor,) = find_origin(tensor)[1]
    return find_origin(tensor)[0]


def is_activation(operation: keras.Operation) -> bool:
    """Whether an operation is an activation and nothing else, such as Softmax or `keras.ops.softmax`."""
    alone = (keras.layers.Activation, keras.layers.Softmax)
    return isinstance(operation, alone) or not isinstance(operation, keras.layers.Layer)


def is_silent(operation: keras.Operation) -> bool:
    """Whether an operation hands on the numbers that it gets."""
    if isinstance(operation, keras.layers.Activation):
        return find_activation(operation) == "linear"
    return isinstance(operation, _SILENT)


def has_graph(model: Any) -> bool:
    """Whether a model is functional or sequential, so that its layers can be followed."""
    if isinstance(model, keras.Sequential):
        return True
    return isinstance(model, Functional) and type(model).call is Functional.call
