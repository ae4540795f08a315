"""A trained classifier as one `.keras` file that loads without tfrobust."""

import json
import pathlib
import tempfile
import zipfile

import keras

from tfrobust import contract, models
from tfrobust.errors import UserError
from tfrobust.models import swap
from tfrobust.runs import files


def save_classifier(model, path):
    """Saves a classifier as a `.keras` file that `keras.saving.load_model` reads without tfrobust.

    Use it in place of `classifier.save(path)`, which keeps tfrobust's BatchNormalization and Dropout,
    so that whoever loads the file needs tfrobust. Here they are exchanged for Keras's, the same in
    inference. `export_classifier` writes a SavedModel beside it.

    Args:
        model: built Keras model, such as `method.classifier`; not changed.
        path: ends in ".keras"; a file of that name is replaced, whole or not at all.

    Returns:
        The path.

    Raises:
        UserError: a path of another ending, what is no classifier (see `tfrobust.contract`), or a model that cannot be taken apart, with tfrobust's
            layers inside.

    Example:
        tfrobust.save_classifier(method.classifier, "classifier.keras")
    """
    path = pathlib.Path(path)
    if path.suffix != ".keras":
        raise UserError(f"`path` must end in '.keras'. Received: {str(path)!r}.")
    contract.check_classifier(model, "model")
    plain = with_stock_layers(model)
    with tempfile.TemporaryDirectory() as folder:
        written = pathlib.Path(folder, path.name)
        write_keras_file(plain, written)
        ours = [name for name in code_needed(written) if name.startswith("tfrobust>")]
        if ours:
            raise UserError(
                f"{model.name!r} is a {type(model).__name__} with its own code, in which {ours} cannot be "
                "exchanged for Keras's layers. Save it by model.save, and load it where tfrobust is."
            )
        files.write_bytes(path, written.read_bytes())
    return path


def write_keras_file(model, path):
    """`model.save`, with a message for a class without `get_config`."""
    try:
        model.save(path)
    except NotImplementedError as error:
        raise UserError(
            f"{type(model).__name__} cannot be written as a .keras file: give the class a `get_config` "
            "that returns its arguments."
        ) from error


def with_stock_layers(model):
    """The model with Keras's layers for ours, or itself where there are none or it has its own code."""
    ours = (models.BatchNormalization, models.Dropout)
    exact = [layer for layer in _layers(model) if isinstance(layer, ours)]
    can_be_taken_apart = all(_is_stock(m) for m in _layers(model) if isinstance(m, keras.Model))
    return swap.with_stock_batch_normalization(model) if exact and can_be_taken_apart else model


def _layers(layer):
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)


def _is_stock(model):
    return type(model).__module__.split(".")[0] == "keras"


def code_needed(path):
    """Names of the classes in a `.keras` file that are not Keras's own."""
    with zipfile.ZipFile(path) as file:
        config = json.loads(file.read("config.json"))
    needed, rest = set(), [config]
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
