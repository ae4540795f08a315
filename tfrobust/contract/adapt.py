"""A model of any pixel range, with or without a last softmax, as a classifier of this package."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust.compat import all_layers, find_origin
from tfrobust.contract.classifier import check_classifier, check_structure, image_dtype
from tfrobust.contract.classifier import image_shape as shape_of
from tfrobust.contract.outputs import sum_to_one
from tfrobust.contract.tail import find_activation, find_tail, has_graph, is_activation, is_silent
from tfrobust.errors import UserError
from tfrobust.ops.numbers import number


def adapt(
    model: keras.Model,
    input_range: tuple[float, float] = (0, 255),
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    *,
    image_shape: Sequence[int] | None = None,
    name: str | None = None,
) -> keras.Model:
    """A plain Keras model from pixels in [0, 1] to logits, around a model that wants something else.

        logits(x) = model without its last softmax, of (low + (high - low) x - mean) / std

    Use it for a model that was trained on pixels in 0..255, in [-1, 1] or on normalised ones, or that
    gives probabilities, before you attack, train, evaluate or export it. The weights are those of the
    model itself: what trains one trains the other. What it gives for random pixels is compared with the
    model's own predictions.

    Args:
        model: built Keras model with one input of images (b, h, w, c) and one output, logits or
            probabilities (b, k) or (b, 1, 1, k); of one output, z or sigmoid(z), the logits are (0, z).
        input_range: (low, high), the values that the model wants, before mean and std, for black and white:
            (0, 255), (-1, 1) or (0, 1).
        mean, std: numbers, or one for each channel, in units of `input_range`; None for 0 and 1. ImageNet's
            mean (0.485, 0.456, 0.406) belongs to input_range=(0, 1).
        image_shape: (h, w, c), where the model does not know it.
        name: of the new model; its own name with "_adapted" if None.

    Returns:
        A functional Keras model, which can be saved, and loads without tfrobust.

    Raises:
        UserError: if the model is of another form, if its softmax is in code of its own, where it cannot
            be taken off, or if the result does not predict what the model does.

    Example:
    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(5)])
    >>> classifier = tfrobust.adapt(model, input_range=(-1, 1))
    >>> classifier(tf.ones((2, 4, 4, 3))).shape
    TensorShape([2, 5])
    """
    shape = _check_shape(model, image_shape)
    low, high = _check_range(input_range)
    dtype = tf.as_dtype(image_dtype(model)).name
    means, deviations = _check_units(mean, std, (low, high), shape[-1])
    pixels = keras.Input(shape, dtype=dtype, name="pixels")
    x = pixels
    if (low, high) != (0.0, 1.0):
        x = keras.layers.Rescaling(high - low, low, dtype=dtype, name="rescale")(x)
    if means is not None:
        # One layer for (x - mean) / std: Keras's Normalization takes variances.
        x = keras.layers.Rescaling(
            (1 / deviations).tolist(), (-means / deviations).tolist(), dtype=dtype, name="normalise"
        )(x)
    end = find_tail(model)
    inner = without_activation(model) if end.kind == "probabilities" else model
    logits = _as_rows(inner(x))
    adapted = keras.Model(pixels, logits, name=name or f"{model.name}_adapted")
    _check_same(model, adapted, end.activation, (low, high, means, deviations), shape)
    check_classifier(adapted)
    return adapted


def _check_shape(model, shape):
    """(h, w, c), after a look at the structure of the model."""
    if not isinstance(model, keras.Model) or not model.built:
        raise UserError(
            f"A built Keras model is needed. Received: {model!r}. Call it on a batch of images first."
        )
    if has_graph(model):
        check_structure(model)
    shape = shape_of(model) if shape is None else tuple(shape)
    if shape is None or len(shape) != 3 or shape[-1] is None:
        raise UserError(
            "A model with one input of images (h, w, c) is needed. Received: "
            f"{model.name!r}, which takes {shape or 'what it does not tell: give image_shape=(h, w, c)'}."
        )
    return shape


def _check_range(input_range):
    if not isinstance(input_range, (tuple, list)) or len(input_range) != 2:
        raise UserError(
            f"`input_range` must be (low, high), such as (0, 255). Received: {input_range!r}."
        )
    low, high = (number(value, "input_range") for value in input_range)
    if low >= high:
        raise UserError(f"`input_range` must rise from low to high. Received: {input_range!r}.")
    return low, high


def _check_units(mean, std, input_range, channels):
    """Mean and standard deviation as arrays (c,), or None, None."""
    if mean is None and std is None:
        return None, None
    mean, std = np.asarray(0.0 if mean is None else mean), np.asarray(1.0 if std is None else std)
    for name, value in (("mean", mean), ("std", std)):
        numeric = np.issubdtype(value.dtype, np.number) and np.isfinite(value).all()
        if not numeric or value.shape not in ((), (1,), (channels,)):
            raise UserError(
                f"`{name}` must be a number or one for each of {channels} channels. Received: {value!r}."
            )
    if (std <= 0).any():
        raise UserError(f"`std` must be above 0. Received: {std!r}.")
    span = input_range[1] - input_range[0]
    if span > 10 and (np.abs(mean) <= 1).all() and (std <= 1).all():
        raise UserError(
            f"`mean` and `std` are in units of `input_range`, {input_range}, and these are in units of "
            f"[0, 1]. Give input_range=(0, 1) with them. Received: mean={mean!r}, std={std!r}."
        )
    mean, std = (np.broadcast_to(v.astype(np.float64), (channels,)) for v in (mean, std))
    return mean, std


def without_activation(model: keras.Model) -> keras.Model:
    """A functional model that shares a model's layers and leaves out the softmax or sigmoid at its end.

    Raises:
        UserError: if a layer's activation cannot be taken off.
    """
    operation, inputs = find_origin(model.outputs[0])
    if is_silent(operation):
        inner = without_activation(keras.Model(model.inputs, inputs[0]))
        return keras.Model(model.inputs, operation(inner.outputs[0]))
    if isinstance(operation, keras.layers.Layer) and has_graph(operation):
        logits = without_activation(operation)(inputs[0])
    elif is_activation(operation):
        _check_axis(operation)
        (logits,) = inputs
    else:
        logits = _linear(operation)(inputs[0])
    return keras.Model(model.inputs, logits, name=model.name)


def _check_axis(operation):
    axis = getattr(operation, "axis", -1)
    if axis not in (-1, None):
        raise UserError(
            f"The softmax of {operation.name!r} runs over axis {axis}, which is not the last. Take it off in "
            "the model's own code."
        )


def _linear(layer):
    """A layer that shares the weights of another one, without its activation."""
    linear = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    for attribute, value in vars(layer).items():
        if isinstance(value, keras.Variable):
            setattr(linear, attribute, value)
    linear.built = True
    if find_activation(linear) != "linear" or len(linear.weights) != len(layer.weights):
        raise UserError(
            f"The {find_activation(layer)} of layer {layer.name!r}, a {type(layer).__name__}, cannot be "
            "taken off without copying its weights. Give it activation=None in the model's own code."
        )
    return linear


def _as_rows(logits):
    """Logits (b, k): flattened from (b, 1, 1, k), and (0, z) for one output z."""
    if keras.tree.is_nested(logits):
        raise UserError(
            "The model gives several outputs, and nothing tells which are the logits. Choose one: "
            "keras.Model(model.inputs, the output's tensor)."
        )
    shape = tuple(logits.shape)
    if len(shape) > 2 and all(size == 1 for size in shape[1:-1]):
        logits = keras.layers.Flatten(name="rows")(logits)
    elif len(shape) != 2:
        raise UserError(
            f"Outputs of shape {shape} are no logits (b, k), and nothing tells how to make some. Pool "
            "or flatten them in the model."
        )
    if logits.shape[-1] == 1:
        zero = keras.layers.Rescaling(0.0, name="other_class")(logits)
        logits = keras.layers.Concatenate(name="two_logits")([zero, logits])
    return logits


def _check_same(model, adapted, activation, prepared, shape):
    """Raises `UserError` unless both models give the same for random pixels."""
    low, high, mean, std = prepared
    size = [224 if side is None else side for side in shape]
    pixels = np.random.default_rng(0).random((4, *size))
    x = low + (high - low) * pixels
    if mean is not None:
        x = (x - mean) / std
    expected = np.asarray(model(tf.cast(x, image_dtype(model)), training=False), np.float64)
    expected = expected.reshape(len(x), -1)
    logits = np.asarray(adapted(tf.cast(pixels, image_dtype(model)), training=False), np.float64)
    found = _activate(logits, activation, expected.shape[1] == 1)
    half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in all_layers(model))
    slack = (3e-2 if half else 1e-4) * max(1.0, float(np.abs(expected).max()))
    off = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
    if not off <= slack:
        raise UserError(
            f"The adapted model does not give what {model.name!r} gives for the same random pixels: they "
            f"differ by {off:.3g}. Is the model random, or its output more than one softmax? Received: "
            f"outputs of shape {expected.shape}, and {found.shape} after adapting."
        )
    if not activation and bool(sum_to_one(expected)):
        raise UserError(
            f"{model.name!r} gives probabilities, but its softmax is in code of its own, where it cannot "
            "be taken off. Leave it out of the model's code: the loss and the attacks compute it."
        )


def _activate(logits, activation, one_output):
    """What the model itself would have given."""
    if one_output:
        logits = logits[:, 1:]
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    if activation == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return logits
