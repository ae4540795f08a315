"""A Keras classifier as a list of plain layers and arrays, from which PyTorch builds the same function."""

from typing import Any

import keras
import numpy as np

from tfrobust.errors import UserError
from tfrobust.models.batch_normalization import BatchNormalization

# Without effect in inference.
_SKIPPED = (keras.layers.InputLayer, keras.layers.Dropout)
ACTIVATIONS = ("linear", "relu", "softplus", "silu")


def describe_network(model: Any) -> tuple[list[dict], list[np.ndarray]]:
    """Layers, one after the other, in PyTorch's order of axes, and the arrays that they hold.

    Args:
        model: Keras model of convolutions, BatchNormalization, activations, pooling, Flatten and Dense, each
            of which takes what the one before gives.

    Returns:
        Dictionaries that `run_reference.build_network` reads, with "kind", "arrays" (how many of the arrays
        are its own, in order) and settings; and the arrays.

    Raises:
        UserError: another kind of model, layer or setting; the message names it.

    Example:
    >>> from tfrobust.benchmarks.reference.network import describe_network
    >>> layers, arrays = describe_network(tfrobust.models.mnist_cnn())
    >>> [layer["kind"] for layer in layers]
    ['convolution', 'relu', 'convolution', 'relu', 'flatten', 'dense', 'relu', 'dense']
    """
    if not isinstance(model, keras.Model):
        raise UserError(
            f"The comparison needs a Keras model, whose layers are known. Received: {type(model).__name__}."
        )
    described: list[tuple[dict, list]] = []
    former, maps = None, None
    for layer in model.layers:
        if former is not None and layer.input is not former:
            raise _refuse(layer, "its input is not the layer before it", model)
        former = layer.output
        if isinstance(layer, keras.layers.Flatten):
            maps = layer.input.shape[1:]
        describe = next((d for kind, d in _KINDS.items() if isinstance(layer, kind)), None)
        if describe is None and not isinstance(layer, _SKIPPED):
            raise _refuse(layer, "no twin of this kind of layer is known", model)
        if describe is not None:
            found = describe(layer, model)
            if isinstance(layer, keras.layers.Dense) and maps is not None:
                # Features of a pixel lie side by side here, pixels of a feature there.
                kernel = found[0][1][0]
                kernel = kernel.reshape(kernel.shape[0], *maps).transpose(0, 3, 1, 2)
                found[0][1][0], maps = kernel.reshape(kernel.shape[0], -1), None
            described += found
            described += _describe_activation(layer, model)
    layers = [{**settings, "arrays": len(arrays)} for settings, arrays in described]
    return layers, [array for _, arrays in described for array in arrays]


def _refuse(layer, why, model):
    return UserError(
        f"The comparison cannot build {model.name} in PyTorch: layer {layer.name} ({type(layer).__name__}): "
        f"{why}. It takes sequences of convolutions, BatchNormalization, activations, pooling, Flatten and "
        "Dense, such as digits_cnn and mnist_cnn."
    )


def _describe_activation(layer, model):
    activation = getattr(layer, "activation", None)
    if isinstance(layer, keras.layers.ReLU):
        activation = keras.activations.relu
        if layer.max_value is not None or layer.negative_slope or layer.threshold:
            raise _refuse(layer, "only the plain ReLU", model)
    if activation is None:
        return []
    name = getattr(activation, "__name__", str(activation))
    if name not in ACTIVATIONS:
        raise _refuse(layer, f"activation {name}; known are {', '.join(ACTIVATIONS)}", model)
    return [] if name == "linear" else [({"kind": name}, [])]


def _describe_convolution(layer, model):
    if layer.padding not in ("same", "valid") or layer.data_format != "channels_last":
        raise _refuse(layer, f"padding {layer.padding}, {layer.data_format}", model)
    kernel = np.asarray(layer.kernel.numpy()).transpose(3, 2, 0, 1)
    sides = _find_padding(layer, layer.kernel_size)
    settings = {
        "kind": "convolution",
        "strides": list(layer.strides),
        "dilation": list(layer.dilation_rate),
        "groups": layer.groups,
    }
    bias = [layer.bias.numpy()] if layer.use_bias else []
    if all(before == after for before, after in sides):
        return [({**settings, "padding": [before for before, _ in sides]}, [kernel, *bias])]
    return [_pad(sides), ({**settings, "padding": [0, 0]}, [kernel, *bias])]


def _pad(sides):
    # PyTorch names the last axis first.
    return {"kind": "padding", "sides": [n for pair in reversed(sides) for n in pair]}, []


def _find_padding(layer, sizes):
    """Pixels before and after the image in each direction, as TensorFlow pads."""
    if layer.padding == "valid":
        return [(0, 0), (0, 0)]
    dilation = getattr(layer, "dilation_rate", (1, 1))
    sides = []
    for length, size, stride, step in zip(
        layer.input.shape[1:3], sizes, layer.strides, dilation, strict=True
    ):
        covered = (size - 1) * step + 1
        total = max((-(-length // stride) - 1) * stride + covered - length, 0)
        sides.append((total // 2, total - total // 2))
    return sides


def _describe_padding(layer, model):
    return [_pad([tuple(pair) for pair in layer.padding])]


def _describe_normalisation(layer, model):
    # Two values for each channel: it is one multiplication and one addition.
    epsilon = layer.epsilon
    mean, variance = (v.numpy() for v in (layer.moving_mean, layer.moving_variance))
    gamma = layer.gamma.numpy() if layer.scale else np.ones_like(mean)
    beta = layer.beta.numpy() if layer.center else np.zeros_like(mean)
    return [({"kind": "normalisation", "epsilon": epsilon}, [mean, variance, gamma, beta])]


def _describe_dense(layer, model):
    bias = [layer.bias.numpy()] if layer.use_bias else []
    return [({"kind": "dense"}, [layer.kernel.numpy().T, *bias])]


def _describe_pooling(layer, model):
    if _find_padding(layer, layer.pool_size) != [(0, 0), (0, 0)]:
        raise _refuse(layer, "pooling of a padded image", model)
    kind = "maximum" if isinstance(layer, keras.layers.MaxPooling2D) else "average"
    settings = {"size": list(layer.pool_size), "strides": list(layer.strides)}
    return [({"kind": kind, **settings}, [])]


def _describe_rescaling(layer, model):
    channels = layer.output.shape[-1]
    arrays = [
        np.broadcast_to(np.asarray(value, np.float32), (channels,)).reshape(-1, 1, 1)
        for value in (layer.scale, layer.offset)
    ]
    return [({"kind": "rescaling"}, arrays)]


_KINDS = {
    keras.layers.Conv2D: _describe_convolution,
    keras.layers.ZeroPadding2D: _describe_padding,
    keras.layers.BatchNormalization: _describe_normalisation,
    BatchNormalization: _describe_normalisation,
    keras.layers.Dense: _describe_dense,
    keras.layers.MaxPooling2D: _describe_pooling,
    keras.layers.AveragePooling2D: _describe_pooling,
    keras.layers.Rescaling: _describe_rescaling,
    keras.layers.Flatten: lambda layer, model: [({"kind": "flatten"}, [])],
    keras.layers.GlobalAveragePooling2D: lambda layer, model: [({"kind": "mean"}, [])],
    keras.layers.Activation: lambda layer, model: [],
    keras.layers.ReLU: lambda layer, model: [],
}
