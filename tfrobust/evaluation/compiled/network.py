"""A classifier as compiled functions see it: a forward pass whose weights are arguments."""

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfrobust.evaluation.compiled.classifier import Classifier
from tfrobust.evaluation.compiled.digest import (
    digest_graph,
    find_effects,
    has_custom_gradients,
)
from tfrobust.evaluation.compiled.sameness import Same, describe_architecture
from tfrobust.ops.logits import Inference


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A forward pass of weights and images, and the weights of one classifier.

    Networks of one `key` have one `forward`, but for their weights: what is compiled with the one's runs
    with the other's weights. A Keras model of layers of Keras and of this library has a key made of all its
    settings and of the graph of its forward pass, constants included. For anything else (layers, functions
    and graphs of others) the key is the object itself with that graph, so that a change that the graph
    shows is seen too, and the weights are read where the object has them. A classifier that does more than
    calculate (random numbers with a state, Python functions), or whose gradient is written in Python
    outside of these libraries, has no key.

    Args:
        forward: function (weights, images) -> logits.
        read: function that returns the present weights, a list of tensors.
        key: what tells this forward pass from others; None if nothing does for sure.
        is_stateless: whether the weights are all that it reads.
    """

    forward: Callable[[Sequence[tf.Tensor], tf.Tensor], tf.Tensor]
    read: Callable[[], Sequence[tf.Tensor]]
    key: Hashable = None
    is_stateless: bool = False

    @staticmethod
    def of_function(forward: Callable[[tf.Tensor], tf.Tensor]) -> "Network":
        """The network of a function from images to logits, without a key."""
        return Network(lambda weights, x: forward(x), lambda: [])

    @staticmethod
    def of(subject: Classifier, image_shape: Sequence[int]) -> "Network":
        """The network of a classifier, whose forward pass is traced once for its key.

        Args:
            subject: `Subject`, or another `Classifier`.
            image_shape: (h, w, c).
        """
        forward, network = subject.forward, None
        images = tf.TensorSpec((2, *image_shape), tf.float32)
        if isinstance(forward, Inference) and isinstance(forward.model, keras.Model):
            if not forward.model.built:
                forward(tf.zeros(images.shape))  # Variables cannot be made inside a graph.
            network = _of_keras(forward, images)
        return network or _of_object(forward, images)


def _of_keras(forward, images):
    """The network of a model whose state is all in its variables; None if that turns out otherwise."""
    variables, assigned = list(forward.model.variables), []

    def stateless(weights, x):
        with keras.StatelessScope(
            state_mapping=list(zip(variables, weights, strict=True))
        ) as scope:
            logits = forward(x)
            for variable, weight in zip(variables, weights, strict=True):
                if scope.get_current_value(variable) is not weight:
                    assigned.append(variable)
        return logits

    def read():
        return [tf.convert_to_tensor(variable.value) for variable in variables]

    weights = [tf.TensorSpec(v.shape, v.dtype) for v in variables]
    concrete = tf.function(stateless, autograph=False).get_concrete_function(weights, images)
    if assigned or concrete.captured_inputs or find_effects(concrete.graph):
        return None
    settings = describe_architecture(forward.model)
    if settings is None and has_custom_gradients(concrete.graph):
        return Network(stateless, read, is_stateless=True)
    owner = Same(forward.model) if settings is None else settings
    return Network(stateless, read, (owner, digest_graph(concrete)), True)


def _of_object(forward, images):
    graph_function = tf.function(lambda x: forward(x), autograph=False)
    concrete = graph_function.get_concrete_function(images)
    plain = Network.of_function(forward)
    if find_effects(concrete.graph) or has_custom_gradients(concrete.graph):
        return plain
    owner: Any = forward.model if isinstance(forward, Inference) else forward
    captured = tuple(Same(tensor) for tensor in concrete.captured_inputs)
    return dataclasses.replace(plain, key=(Same(owner), digest_graph(concrete), captured))
