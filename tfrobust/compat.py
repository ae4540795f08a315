"""Every private name of Keras, TensorFlow and gin that we lean on: what a new version of theirs may move."""

from keras.src.models.functional import Functional

__all__ = ["Functional", "origin"]


def origin(tensor):
    """The operation that a symbolic Keras tensor comes out of, and the tensors that went into it."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index].input_tensors
