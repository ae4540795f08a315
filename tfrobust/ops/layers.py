"""The layers of a classifier, as far as losses need to know them."""

from collections.abc import Iterator

import keras

from tfrobust.compat import all_layers

# Continuous and piecewise linear: their second derivatives are zero except at the kinks, which are missed.
_ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "hard_sigmoid",
    "hard_tanh",
    "hard_silu",
    "hard_shrink",
)
# As operations they are classes.
_KINKED = (*_ACTIVATIONS, *(name.replace("_", "") for name in _ACTIVATIONS))
_KINKED_LAYERS = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU)


def layers_and_operations(model: keras.Model) -> Iterator[keras.Operation]:
    """All layers at any depth, and what functional models call without a layer, such as keras.ops.relu."""
    for layer in all_layers(model):
        yield layer
        for operation in getattr(layer, "operations", ()):
            if not isinstance(operation, keras.layers.Layer):
                yield operation


def activation_name(layer: keras.Operation) -> str:
    """The name of a layer's activation or of an operation ("relu", "leakyrelu"), or ""."""
    if not isinstance(layer, keras.layers.Layer):
        return type(layer).__name__.lower()
    return getattr(getattr(layer, "activation", None), "__name__", "")


def kinked_layer(classifier: keras.Model) -> str | None:
    """The name of a layer whose activation is piecewise linear, such as ReLU, or None."""
    for layer in layers_and_operations(classifier):
        if activation_name(layer) in _KINKED or isinstance(layer, _KINKED_LAYERS):
            return layer.name
    return None


def half_precision_layer(classifier: keras.Model) -> str | None:
    """The name of a layer that computes in less than float32, or None."""
    for layer in all_layers(classifier):
        if layer.compute_dtype in ("bfloat16", "float16"):
            return layer.name
    return None


def last_dense(classifier: keras.Model) -> keras.layers.Dense | None:
    """The last of the classifier's Dense layers, in the order of its layers, or None."""
    layers = all_layers(classifier)
    dense = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
    return dense[-1] if dense else None
