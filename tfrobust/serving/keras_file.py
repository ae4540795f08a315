"""Saving a trained classifier as one `.keras` file that loads without tfrobust."""

import json
import os
import pathlib
import tempfile
import zipfile

import keras

from tfrobust import contract, models
from tfrobust.errors import UserError
from tfrobust.models import swap
from tfrobust.runs import files


def save_classifier(model: keras.Model, path: str | os.PathLike) -> pathlib.Path:
    """Saves a classifier as a `.keras` file that `keras.saving.load_model` reads without tfrobust.

    Use it instead of `classifier.save(path)`, which keeps tfrobust's BatchNormalization and Dropout, so
    that loading the file requires tfrobust. Here they are exchanged for Keras's layers, which give the
    same logits in inference. For a SavedModel use `tfrobust.serving.export_classifier`.

    Args:
        model: built Keras model, such as `method.classifier`; it is not changed.
        path: ends in ".keras". An existing file is replaced, whole or not at all.

    Returns:
        The path.

    Raises:
        UserError: the path has another ending, the model is not a classifier (see `tfrobust.contract`),
            or it is a subclass of `keras.Model` that contains layers of tfrobust.

    Example:
        >>> path = tfrobust.save_classifier(tfrobust.models.digits_cnn(), "classifier.keras")
        >>> keras.saving.load_model(path).output_shape
        (None, 10)
    """
    path = pathlib.Path(path)
    if path.suffix != ".keras":
        raise UserError(f"`path` must end in '.keras'. Received: {str(path)!r}.")
    contract.check_classifier(model, "model")
    plain = use_stock_layers(model)
    with tempfile.TemporaryDirectory() as folder:
        written = pathlib.Path(folder, path.name)
        write_keras_file(plain, written)
        ours = [name for name in find_foreign_classes(written) if name.startswith("tfrobust>")]
        if ours:
            raise UserError(
                f"{model.name!r} is a {type(model).__name__} with its own code, in which {ours} cannot be "
                "exchanged for Keras's layers. Save it by model.save, and import tfrobust where it is loaded."
            )
        files.write_bytes(path, written.read_bytes())
    return path


def write_keras_file(model: keras.Model, path: str | os.PathLike) -> None:
    """Calls `model.save`.

    Raises:
        UserError: the class of the model, or of one of its layers, has no `get_config`.
    """
    try:
        model.save(path)
    except NotImplementedError as error:
        raise UserError(
            f"{type(model).__name__} cannot be written as a .keras file: give the class a `get_config` "
            "that returns the arguments of its constructor."
        ) from error


def use_stock_layers(model: keras.Model) -> keras.Model:
    """Exchanges tfrobust's layers for Keras's where that is possible.

    Returns:
        A copy; or the model itself if it contains no such layers, or is a subclass with its own code.
    """
    ours = (models.BatchNormalization, models.Dropout)
    has_ours = any(isinstance(layer, ours) for layer in _list_layers(model))
    is_stock = all(_is_stock(m) for m in _list_layers(model) if isinstance(m, keras.Model))
    return swap.with_stock_batch_normalization(model) if has_ours and is_stock else model


def _list_layers(layer):
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _list_layers(inner)


def _is_stock(model):
    return type(model).__module__.split(".")[0] == "keras"


def find_foreign_classes(path: str | os.PathLike) -> list[str]:
    """Lists the registered names of the classes in a `.keras` file that are not Keras's own, sorted."""
    with zipfile.ZipFile(path) as file:
        config = json.loads(file.read("config.json"))
    needed: set[str] = set()
    rest = [config]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            if "class_name" in value and not str(value.get("module", "keras")).startswith("keras"):
                named = "config" if value["class_name"] == "function" else "registered_name"
                needed.add(value.get(named) or value["class_name"])
            rest += value.values()
        elif isinstance(value, list):
            rest += value
    return sorted(needed)
