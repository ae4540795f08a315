"""Which layers of Keras have rules, and what they are."""

from collections.abc import Callable, Sequence

import keras

from tfrobust.bounds import activations, affine
from tfrobust.bounds.operation import Operation
from tfrobust.bounds.pooling import MaxPooling, max_pooling_2d
from tfrobust.bounds.sums import Concatenation, WeightedSum
from tfrobust.errors import UserError

# The version of all that bounds are made of: of this room, and of the boxes around images. Raise it whenever
# a bound changes, be it by its rounding: what earlier rules proved may not hold, and is not gone on with.
VERSION = 1

# By name: layers of Keras, and those of tfrobust that do the same in inference.
_IDENTITIES = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "SpatialDropout2D",
)
_WEIGHTED = {
    "Dense": affine.dense,
    "Conv2D": affine.conv_2d,
    "DepthwiseConv2D": affine.depthwise_conv_2d,
}
_LAYERS: dict[str, Callable[..., Operation]] = {
    "AveragePooling2D": affine.average_pooling_2d,
    "BatchNormalization": affine.batch_normalization,
    "Cropping2D": affine.cropping_2d,
    "MaxPooling2D": max_pooling_2d,
    "Normalization": affine.normalization,
    "Rescaling": affine.rescaling,
    "ZeroPadding2D": affine.zero_padding_2d,
}
_ACTIVATIONS: dict[str, Callable[[], Operation]] = {
    "relu": activations.relu,
    "relu6": lambda: activations.clip(0.0, 6.0),
    "leaky_relu": lambda: activations.relu(0.2),
    "softplus": activations.softplus,
    "elu": activations.elu,
    "celu": activations.elu,
    "selu": activations.selu,
    "sigmoid": activations.sigmoid,
    "log_sigmoid": activations.log_sigmoid,
    "hard_sigmoid": activations.hard_sigmoid,
    "tanh": activations.tanh,
    "hard_tanh": lambda: activations.clip(-1.0, 1.0),
    "softsign": activations.softsign,
    "exponential": activations.exponential,
}
# Functions of `keras.ops`, such as x + y, that do what the layers of these names do.
_FUNCTIONS = ("Add", "Concatenate", "Reshape", "Subtract")
_SUPPORTED = sorted(
    {*_WEIGHTED, *_LAYERS, *_IDENTITIES, "Activation", "Add", "Average", "Concatenate", "ELU"}
    | {"Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "LeakyReLU", "ReLU", "Reshape"}
    | {"Subtract"}
)


def find_operations(
    layer: keras.Operation, input_shapes: Sequence[tuple], output_shape: tuple
) -> list[Operation]:
    """The operations that a layer does in inference, one after the other; all but the first have one input.

    Args:
        layer: of Keras, or one of tfrobust's.
        input_shapes, output_shape: (None, ...).

    Returns:
        A list of `Operation`; empty for layers that hand their input on.

    Raises:
        UserError: the layer, its activation or a setting has no rule; it names them.

    Example:
    >>> from tfrobust.bounds.rules import find_operations
    >>> layer = keras.layers.Dense(3, activation="relu")
    >>> layer.build((None, 2))
    >>> [type(o).__name__ for o in find_operations(layer, [(None, 2)], (None, 3))]
    ['Affine', 'Activation']
    """
    name = type(layer).__name__
    if type(layer).__module__.partition(".")[0] not in ("keras", "tfrobust"):
        raise _refuse(layer, "is of your own")
    if not isinstance(layer, keras.layers.Layer) and name not in _FUNCTIONS:
        raise _refuse(layer, "is a function without a rule")
    _check_settings(layer)
    if name in _IDENTITIES:
        return []
    if name in _WEIGHTED:
        return [_WEIGHTED[name](layer), *find_activation(layer, layer.activation)]
    if name == "Activation":
        return find_activation(layer, layer.activation)
    if name in ("Flatten", "Reshape"):
        return [affine.reshape(output_shape[1:])]
    if name == "GlobalAveragePooling2D":
        return [affine.global_average_pooling_2d(layer, input_shapes[0])]
    if name == "GlobalMaxPooling2D":
        size = input_shapes[0][1:3]
        return [MaxPooling(size, size, "VALID"), affine.reshape(output_shape[1:])]
    if name in ("ReLU", "LeakyReLU", "ELU"):
        return [_find_activation_layer(layer)]
    count = len(input_shapes)
    if name == "Concatenate":
        return [Concatenation(layer.axis % len(output_shape))]
    sums = {"Add": (1.0,) * count, "Average": (1.0 / count,) * count, "Subtract": (1.0, -1.0)}
    if name in sums:
        if count < len(sums["Subtract"]):
            raise _refuse(layer, "takes a constant")
        if any(shape != output_shape for shape in input_shapes):
            raise _refuse(layer, f"adds tensors of different shapes, {input_shapes},")
        return [WeightedSum(sums[name])]
    if name in _LAYERS:
        return [_LAYERS[name](layer)]
    raise _refuse(layer, "has no rule")


def check_precision(layer: keras.Operation) -> None:
    """Raises `UserError` for a layer that rounds more than float32 does."""
    if getattr(layer, "compute_dtype", "float32") not in ("float32", "float64"):
        raise _refuse(layer, f"computes in {layer.compute_dtype}")


def find_activation(layer: keras.Operation, function: Callable) -> list[Operation]:
    """The operations of an activation that a layer has as a function of `keras.activations`."""
    if function is keras.activations.linear:
        return []
    for name, make in _ACTIVATIONS.items():
        # Older versions of Keras do not have all of them.
        if function is getattr(keras.activations, name, None):
            return [make()]
    told = getattr(function, "__name__", repr(function))
    known = ", ".join(["linear", *_ACTIVATIONS])
    raise _refuse(
        layer, f"has the activation {told}, for which there is no rule (only for {known}),"
    )


def _find_activation_layer(layer):
    name = type(layer).__name__
    if name == "ELU":
        return activations.elu(float(layer.alpha))
    slope = float(layer.negative_slope)
    if name == "LeakyReLU":
        return activations.relu(slope)
    if layer.max_value is None:
        return activations.relu(slope)
    return activations.clip(0.0, float(layer.max_value))


def _check_settings(layer):
    """Settings under which the rules do not hold."""
    name = type(layer).__name__
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise _refuse(layer, "has channels first")
    if getattr(layer, "padding", "valid") == "causal":
        raise _refuse(layer, "has causal padding")
    if name == "BatchNormalization" and not _is_last(layer):
        raise _refuse(layer, "normalises another axis than the last, or uses renorm,")
    is_cut = getattr(layer, "max_value", None) is not None
    if name == "ReLU" and (layer.threshold or (is_cut and layer.negative_slope)):
        raise _refuse(layer, "has a threshold, or a slope beside a largest value,")
    if name == "Normalization" and layer.invert:
        raise _refuse(layer, "is inverted")
    if name == "ELU" and not layer.alpha >= 0:
        raise _refuse(layer, f"has alpha={layer.alpha}, below 0,")
    if name in ("ReLU", "LeakyReLU") and not 0 <= layer.negative_slope <= 1:
        raise _refuse(layer, "has a negative slope outside [0, 1]")


def _is_last(layer):
    # Only Keras's layer has these settings.
    config = layer.get_config()
    return not config.get("renorm") and config.get("axis", -1) in (-1, layer.input_spec.ndim - 1)


def _refuse(layer, what):
    return UserError(
        f"The layer {layer.name!r} ({type(layer).__name__}) {what}: its bounds are not known. Bounds go "
        f"through {', '.join(_SUPPORTED)} in float32, channels last. Randomised smoothing "
        "(suite='smoothing') takes any classifier."
    )
