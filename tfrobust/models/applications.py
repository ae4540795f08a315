"""Networks of `keras.applications` as classifiers of this package."""

import difflib
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from tfrobust.compat import find_origin, shapes_only
from tfrobust.errors import UserError
from tfrobust.models.application_weights import call_application, find_head, load_network
from tfrobust.models.parts import check_choice, check_input_shape
from tfrobust.models.swap import exact_layer
from tfrobust.ops.numbers import integer

SMOOTH = (None, "softplus", "silu")
# Piecewise linear activations of these networks, by name.
_KINKED = ("relu", "relu6", "hard_silu")
# What an argument of `from_applications` says, or a classifier must have.
_TAKEN = (
    "classes",
    "classifier_activation",
    "include_preprocessing",
    "include_top",
    "input_shape",
    "input_tensor",
    "name",
    "pooling",
    "weights",
)


def from_applications(
    name: str,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    num_classes: int = 1000,
    weights: str | os.PathLike | None = None,
    activation: str | None = None,
    settings: Mapping[str, Any] | None = None,
    frozen: bool = False,
) -> keras.Model:
    """A network of `keras.applications`, such as ResNet-152, from pixels in [0, 1] to logits.

    Use it for ImageNet, and for images of such a size. The preprocessing that Keras wants before the network
    is inside, so that attacks and radii stay in units of pixels; BatchNormalization and Dropout are those
    of tfrobust, with the settings of the network; its last softmax is left out. With the same weights and
    activations the logits are those of Keras's network.

    With another number of classes than the weights' own, what lies before the mean over all pixels has the
    weights, and what follows it is new: a head for your classes.

    Networks with LayerNormalization (ConvNeXt) have second derivatives that TensorFlow computes wrong by 0.1
    to 2 %; methods that need these say so.

    Args:
        name: of the function in `keras.applications`, such as "ResNet50", "ResNet152" or "MobileNetV2".
        input_shape: (height, width, channels) of one image; each network has a smallest size.
        num_classes: number of logits, at least 2.
        weights: None for random values; "imagenet" for those of Keras, which are downloaded unless they are
            in ~/.keras/models; or a file of weights (.h5) or a model (.keras) of the same network, of as many
            classes, of 1000, or (.h5) without its head.
        activation: "softplus" or "silu" in the place of every ReLU, ReLU6 and hard SiLU; None leaves them.
            Smooth activations stay, and so do the gates of MobileNetV3, which are clipped ReLUs.
        settings: other arguments of the function, such as {"alpha": 0.5}, the width of MobileNet.
        frozen: whether only what follows the mean over all pixels is trained; BatchNormalization before it
            then keeps its statistics. To train all later, set `trainable` of each of `model.layers`.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes). It has
        Keras's numbers of parameters, with biases before BatchNormalization in the ResNets: 25,636,712 for
        ResNet50 and 60,419,944 for ResNet152, of which 53,120 and 151,424 are running statistics.

    Raises:
        UserError: there is no such network, an argument is out of range, or the weights cannot be had.

    Example:
        >>> model = tfrobust.models.from_applications("MobileNetV2", (32, 32, 3), 10, activation="silu")
        >>> model.output_shape, model.count_params()
        ((None, 10), 2270794)
    """
    application = _find(name)
    shape = check_input_shape(input_shape)
    integer(num_classes, "num_classes", minimum=2)
    check_choice(SMOOTH, "activation", activation)
    given = _check_settings(application, settings or {})
    pixels = keras.Input(shape, name="pixels")
    x = _preprocess(pixels, application)
    given |= {"input_shape": shape, "input_tensor": x, "classes": num_classes}
    given |= {"classifier_activation": None, "include_top": True, "weights": None}
    if weights is None:
        # Only the layers' settings are wanted. Values would take as much memory as the copy's, and if the
        # next model to be built is in a step of training, TensorFlow would trace it twice.
        with shapes_only():
            network = call_application(application, given)
    else:
        network = load_network(application, given, weights)
    model = _exchange_layers(network, activation, name)
    if weights is not None:
        model.set_weights(network.get_weights())
    for layer in model.layers[: find_head(model)] if frozen else ():
        layer.trainable = False
    return model


def _find(name):
    known = [n for n, value in vars(keras.applications).items() if inspect.isfunction(value)]
    if name not in known:
        near = difflib.get_close_matches(str(name), known, 1)
        hint = (
            f"Did you mean {near[0]!r}?"
            if near
            else f"Expected one of: {', '.join(sorted(known))}."
        )
        raise UserError(f"keras.applications has no network {name!r}. {hint}")
    return getattr(keras.applications, name)


def _check_settings(application, settings):
    if not isinstance(settings, Mapping):
        raise UserError(
            f"`settings` must be a dict, such as {{'alpha': 0.5}}. Received: {settings!r}."
        )
    free = [p for p in inspect.signature(application).parameters if p not in _TAKEN]
    for name in settings:
        if name not in free:
            raise UserError(
                f"`settings` of {application.__name__} may hold {', '.join(free) or 'nothing'}. "
                f"Received: {name!r}."
            )
    return dict(settings)


def _preprocess(pixels, application):
    """What Keras does to images in 0..255 before the network, of pixels in [0, 1], as layers."""
    if pixels.shape[-1] != 3:
        return keras.layers.Rescaling(255.0, name="preprocess")(pixels)
    family = getattr(keras.applications, application.__module__.rpartition(".")[2])
    order, scale, offset = _probe(family.preprocess_input)
    if order != [0, 1, 2]:
        pixels = keras.ops.flip(pixels, axis=-1)
    if len(set(scale)) == len(set(offset)) == 1:
        scale, offset = scale[0], offset[0]
    return keras.layers.Rescaling(scale, offset, name="preprocess")(pixels)


def _probe(preprocess: Callable) -> tuple[list, list, list]:
    """The order of channels, and scale and offset of each, that a function of images in 0..255 amounts to."""
    black = np.zeros((1, 1, 1, 3))
    primary = 255.0 * np.eye(3).reshape(3, 1, 1, 3)
    offset = preprocess(black.copy()).reshape(3)
    matrix = preprocess(primary.copy()).reshape(3, 3).T - offset[:, None]
    order = np.abs(matrix).argmax(axis=1).tolist()
    scale = matrix[[0, 1, 2], order]
    if order not in ([0, 1, 2], [2, 1, 0]) or np.count_nonzero(matrix) != 3:
        raise UserError(
            f"{preprocess.__module__}.preprocess_input is not a scale and an offset for each channel, and "
            "does not become a layer here. Build the network, and use tfrobust.adapt."
        )
    return order, scale.tolist(), offset.tolist()


def _exchange_layers(network, activation, name):
    last = network.layers[-1]

    def clone(layer):
        config = layer.get_config()
        if activation and _is_kinked(layer):
            if isinstance(layer, keras.layers.ReLU):
                kept = {key: config[key] for key in ("name", "dtype")}
                return keras.layers.Activation(activation, **kept)
            return type(layer).from_config(config | {"activation": activation})
        if layer is last:
            wide = keras.config.dtype_policy().compute_dtype == "float64"
            return type(layer).from_config(config | {"dtype": "float64" if wide else "float32"})
        return exact_layer(layer)

    copy = keras.models.clone_model(network, clone_function=clone)
    return keras.Model(copy.inputs[0], copy.outputs[0], name=name.lower())


def _is_kinked(layer):
    if isinstance(layer, keras.layers.ReLU):
        # A gate is relu6(x + 3) / 6, without layers before and behind.
        return isinstance(find_origin(layer.input)[0], keras.layers.Layer)
    named = getattr(getattr(layer, "activation", None), "__name__", "")
    return named in _KINKED
