"""Models that an attack is made on in place of its target."""

import concurrent.futures
import pathlib
import zipfile
from collections.abc import Callable

import keras
import tensorflow as tf

from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError


def check_surrogate(surrogate: keras.Model | Callable | str) -> None:
    """Raises `UserError` unless it is a Keras model with weights, a function, or a `.keras` file's path."""
    if isinstance(surrogate, str):
        file = pathlib.Path(surrogate)
        if not file.is_file() or not zipfile.is_zipfile(file):
            raise UserError(
                "A path in `surrogates` must be that of a .keras file, such as export/classifier.keras of a "
                f"run. Received: {surrogate!r}, which {'is not one' if file.exists() else 'does not exist'}."
            )
    elif isinstance(surrogate, keras.layers.Layer) and not surrogate.built:
        raise UserError(
            f"The surrogate {surrogate.name} has no weights yet. Build and train it first."
        )
    elif isinstance(surrogate, type) or not callable(surrogate):
        raise UserError(
            "Each of `surrogates` must be a Keras model, a function from images to logits or the path of a "
            f".keras file. Received: {surrogate!r}."
        )


def load_surrogate(surrogate: keras.Model | Callable | str) -> keras.Model | Callable:
    """The model of a path; models and functions as they are.

    Raises:
        UserError: if the file holds no model that can be loaded.
    """
    if not isinstance(surrogate, str):
        return surrogate
    # The first use may be inside of a graph, or of one replica of several, where variables would
    # be made for that graph, or for all replicas and filled by none. A thread begins outside of both.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(read_keras_file, surrogate).result()


def require_classes(
    forward: Callable[[tf.Tensor], tf.Tensor], num_classes: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """`forward`, images to logits, that raises `UserError` if there are not `num_classes` of them."""

    def logits(x):
        result = forward(x)
        if result.shape[-1] != num_classes:
            raise UserError(
                f"Surrogates must know the {num_classes} classes of the target. Received: one with logits "
                f"of shape {result.shape}."
            )
        return result

    return logits
