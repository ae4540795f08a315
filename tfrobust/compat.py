"""Every private name of Keras, TensorFlow and gin that we lean on: what a new version of theirs may move."""

from keras.src.models.functional import Functional
from tensorflow.python.framework import op_def_registry

__all__ = ["Functional", "operation", "origin"]


def origin(tensor):
    """The operation that a symbolic Keras tensor comes out of, and the tensors that went into it."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index].input_tensors


def operation(name):
    """The definition of one of TensorFlow's operations, a protocol buffer; None if there is none."""
    return op_def_registry.get(name)
