"""Layers through which TensorFlow does not differentiate twice as it should.

Measured in float64 against central differences of the squared input gradient, TensorFlow 2.21.
"""

import warnings

import keras

from tfrobust.errors import UserError
from tfrobust.methods.checks import is_stock_batch_normalization
from tfrobust.ops.layers import activation_name, layers_and_operations

_MAX_POOLING = (keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D)


def check_second_derivatives(classifier: keras.Model, training: bool = True) -> None:
    """Warns of layers whose second derivatives are wrong, refuses those that have none.

    Args:
        classifier: Keras model.
        training: whether passes in training mode are differentiated twice, or only passes in
            inference mode, where Keras's BatchNormalization is exact.

    Raises:
        UserError: for a layer that TensorFlow cannot differentiate twice; the first step would fail.
    """
    seen = set()
    for layer in layers_and_operations(classifier):
        reason, refused = _fault(layer, training)
        if refused:
            raise UserError(_describe(layer, reason))
        if reason and reason not in seen:
            seen.add(reason)
            warnings.warn(_describe(layer, reason), stacklevel=5)


def find_overlapping_pooling(classifier: keras.Model) -> keras.layers.Layer | None:
    """The first layer whose second derivatives are wrong where XLA compiles the step, or None."""
    for layer in layers_and_operations(classifier):
        if isinstance(layer, _MAX_POOLING) and _overlaps(layer):
            return layer
    return None


def warn_of_pooling(layer: keras.layers.Layer) -> None:
    """Warns of what `find_overlapping_pooling` has found."""
    warnings.warn(
        _describe(
            layer,
            "has overlapping windows, whose second derivatives are wrong under XLA: gradients of "
            "a penalty on the input gradient were off by 1 to 18 %. Call compile with "
            "jit_compile=False, or make strides as large as the windows",
        ),
        stacklevel=4,
    )


def _describe(layer, reason):
    return f"Layer {layer.name!r}, a {type(layer).__name__}, {reason}."


def _fault(layer, training):
    """What is wrong with a layer's second derivatives, or None, and whether it must be refused."""
    if is_stock_batch_normalization(layer):
        if not (training and layer.trainable):
            return None, False
        return (
            "has wrong second derivatives in training mode: gradients of a Jacobian penalty are off "
            "by up to 1 %, of |delta . grad| by up to 8 %, second derivatives along the weights by 20 to "
            "120 %. Use tfrobust.models.with_exact_batch_normalization(classifier), which keeps the weights"
        ), False
    if isinstance(layer, keras.layers.LayerNormalization):
        if getattr(layer, "rms_scaling", False):
            return None, False
        return _NORMALIZATION, False
    if isinstance(layer, keras.layers.GroupNormalization):
        return _NORMALIZATION, False
    if activation_name(layer) == "softsign":
        return "uses softsign, which TensorFlow cannot differentiate twice. Use tanh", True
    return _resizing_fault(layer)


_NORMALIZATION = (
    "has wrong second derivatives: Keras stops a gradient inside the variance; gradients of a penalty "
    "on the input gradient were off by 0.1 to 2 %. Use tfrobust.models.BatchNormalization, or "
    "keras.layers.RMSNormalization"
)


def _resizing_fault(layer):
    interpolation = getattr(layer, "interpolation", None)
    if isinstance(layer, keras.layers.UpSampling2D):
        exact = interpolation == "nearest"
    elif isinstance(layer, keras.layers.Resizing) or type(layer).__name__ == "Resize":
        exact = False
    else:
        exact = True
    if exact:
        return None, False
    advice = (
        "Resize in the dataset, or use strides, pooling or UpSampling2D(interpolation='nearest')"
    )
    if interpolation == "bilinear" and not getattr(layer, "antialias", False):
        return (
            "has no second derivative in TensorFlow, silently: gradients of a penalty on the input gradient "
            f"were off by 50 to 100 %. {advice}"
        ), False
    return f"cannot be differentiated twice by TensorFlow. {advice}", True


def _overlaps(layer):
    return any(s < p for s, p in zip(layer.strides, layer.pool_size, strict=True))
