"""Weights of Keras or of a file in networks of `keras.applications`, of as many classes or not."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError, one_line

_CLASSES_OF_IMAGENET = 1000


def call_application(application: Callable[..., keras.Model], given: dict[str, Any]) -> keras.Model:
    """Builds a network; raises `UserError` where Keras refuses the arguments."""
    try:
        return application(**given)
    # Keras checks sizes, and reads weights, each with errors of its own.
    except Exception as error:
        raise UserError(
            f"keras.applications.{application.__name__} cannot be built: {one_line(error, 300)}"
        ) from error


def find_head(network: keras.Model) -> int:
    """The place among a network's layers at which its head begins: the last mean over all pixels."""
    for kind in (keras.layers.GlobalAveragePooling2D, keras.layers.Flatten):
        places = [n for n, layer in enumerate(network.layers) if isinstance(layer, kind)]
        if places:
            return places[-1]
    raise UserError(f"{network.name} has no layer after which its head would begin.")


def load_network(
    application: Callable[..., keras.Model], given: dict[str, Any], weights: str | os.PathLike
) -> keras.Model:
    """A network with weights; with a new head where these are of another number of classes.

    Args:
        application: function of `keras.applications`.
        given: its arguments; `weights` among them is None.
        weights: "imagenet", or a file, as in `from_applications`.

    Raises:
        UserError: there are no such weights, or they are of another network.
    """
    if weights == "imagenet":
        return _load_imagenet(application, given)
    path = pathlib.Path(weights)
    if not path.is_file():
        raise UserError(
            f"There is no file {path}. Give `weights` as a file of Keras, as 'imagenet' or as None."
        )
    network = call_application(application, given)
    if path.suffix == ".keras":
        return _with_values(
            application.__name__, network, read_keras_file(path).get_weights(), path
        )
    try:
        network.load_weights(path)
        return network
    except Exception as error:
        refused = error
    # Keras tells files of other heads by errors of many kinds.
    for other in ({"include_top": False}, {"classes": _CLASSES_OF_IMAGENET}):
        try:
            theirs = application(**(given | other | {"weights": str(path)}))
        except Exception:
            continue
        return _with_values(application.__name__, network, theirs.get_weights(), path)
    raise UserError(
        f"The weights in {path} are not those of {application.__name__} of these arguments, with its head or "
        f"without: {one_line(refused, 300)}"
    ) from refused


def _load_imagenet(application, given):
    new_head = given["classes"] != _CLASSES_OF_IMAGENET
    # With its head of any size: Keras asks for 224 by 224 where it is given a shape.
    other = {"include_top": False} if new_head else {"input_shape": None}
    try:
        network = application(**(given | other | {"weights": "imagenet"}))
    except Exception as error:
        raise UserError(
            f"The weights 'imagenet' of {application.__name__} are not in ~/.keras/models, cannot be "
            f"downloaded, or are not of this size: {one_line(error, 300).rstrip('.')}. Put the file there, "
            "give its path, or begin with random values by weights=None."
        ) from error
    if not new_head:
        return network
    return _with_values(
        application.__name__,
        call_application(application, given),
        network.get_weights(),
        "'imagenet'",
    )


def _with_values(name, network, values: Sequence[np.ndarray], where):
    """The network with all of the values, or with those before its head where the heads differ."""
    own = network.get_weights()
    head = sum(len(layer.weights) for layer in network.layers[find_head(network) :])
    body = len(own) - head

    def fits(count):
        return [v.shape for v in values[:count]] == [v.shape for v in own[:count]]

    if len(values) == len(own) and fits(len(own)):
        network.set_weights(values)
    elif fits(body):
        network.set_weights([*values[:body], *own[body:]])
    else:
        raise UserError(
            f"The model in {where} has other weights than {name} of these arguments: {len(values)} "
            f"arrays, and {len(own)} are expected, of the same shapes, or {body} before the head."
        )
    return network
