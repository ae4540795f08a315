"""Every private name of Keras, TensorFlow and gin that we lean on: what a new version of theirs may move."""

from keras.src.models.functional import Functional
from keras.src.trainers.compile_utils import MetricsList
from tensorflow.python.framework import op_def_registry

# `MetricsList` is where Keras's callbacks look for a metric's direction with mode="auto".
__all__ = ["Functional", "MetricsList", "operation", "origin", "weighted_names"]


def origin(tensor):
    """The operation that a symbolic Keras tensor comes out of, and the tensors that went into it."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index].input_tensors


def operation(name):
    """The definition of one of TensorFlow's operations, a protocol buffer; None if there is none."""
    return op_def_registry.get(name)


def weighted_names(metrics):
    """Names, in its results, of those compiled metrics that sample weights weigh.

    Args:
        metrics: the built collection that a `keras.Model` makes of `compile`'s metrics.
    """
    plain = sum(len(group.metrics) for group in metrics._flat_metrics if group)
    return list(metrics.result())[plain:]
