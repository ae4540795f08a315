"""Exporting a trained classifier in two forms that other programs load: `.keras` and SavedModel."""

import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.evaluation.fingerprint import identify
from tfrobust.evaluation.subject import Subject
from tfrobust.serving import layout
from tfrobust.serving.keras_file import find_foreign_classes, use_stock_layers, write_keras_file
from tfrobust.serving.signatures import make_signatures
from tfrobust.version import __version__

# Height and width at which a model that takes any size is tried.
ANY_SIDE = 224


def export_classifier(
    model: keras.Model,
    folder: str | os.PathLike,
    class_names: Sequence[str] | None = None,
    image_shape: tuple[int | None, int | None, int] | None = None,
    version: int | None = None,
    training: dict[str, Any] | None = None,
    license: str | None = None,
) -> pathlib.Path:
    """Writes a classifier into a folder, in forms that load without tfrobust.

    Use it to serve a classifier, or to give it to somebody else. The folder is one that TensorFlow Serving
    takes as it is:

        folder/1/                  SavedModel, for TensorFlow Serving and `tf.saved_model.load`
        folder/classifier.keras    for `keras.saving.load_model`: a Keras model from pixels to logits
        folder/README.md           the model card
        folder/export.json         what the card says: shapes, class names, versions, accuracies; and the
                                   classes of which the `.keras` file needs the code (none for the models
                                   of tfrobust)

    A new folder appears whole or not at all. The next export into the same folder is version 2, which
    Serving then takes: `2/` appears whole beside `1/`, and the other files are replaced by the new ones.

    The SavedModel has these signatures, each for any batch size:

        serving_default    images   uint8 (b, h, w, c), as decoded from a file
        pixels             pixels   float32 (b, h, w, c) in [0, 1], differentiable
        encoded            encoded  string (b,), JPEG or PNG files of any size: the largest central part of
                                    the model's aspect ratio, resized; for 1, 3 or 4 channels

    Each of them returns `logits` and `probabilities`, float32 (b, k), `class`, int64 (b,), and
    `class_name`, string (b,), which is the number of the class where no names are given. Images of a wrong
    size and bytes that are no image are refused in a sentence.

    tfrobust's BatchNormalization and Dropout are exchanged for Keras's, which give the same logits in
    inference. A model with its own code (a subclass of `keras.Model`) is written as it is.

    Args:
        model: built Keras model from float pixels in [0, 1] to logits (b, k); it is not changed.
        folder: a new or an empty folder, or that of an export. An export of an earlier version of tfrobust,
            with a folder `saved_model`, is replaced if it contains nothing else.
        class_names: k names, in the order of the logits; optional.
        image_shape: (h, w, c), where h and w may be None for any size. Default: as the model says.
        version: number of the SavedModel's folder, which is replaced if it is there. Default: one more than
            the highest there is, 1 in a new folder.
        training: for the card, of the run that made these weights: `serving.describe_training(run)`.
        license: for the card, as the Hugging Face hub writes it, such as "apache-2.0".

    Returns:
        The path of the folder.

    Raises:
        UserError: the model is not built, its image shape is not known, its outputs are not logits
            (b, k), the number of names is not k, or what no export wrote would be lost, such as a card
            that was edited.

    Example:
        >>> folder = tfrobust.serving.export_classifier(tfrobust.models.digits_cnn(), "export")
        >>> serve = tf.saved_model.load(str(folder / "1")).signatures["serving_default"]
        >>> serve(images=tf.zeros((2, 8, 8, 1), tf.uint8))["logits"].shape
        TensorShape([2, 10])
    """
    folder = pathlib.Path(folder)
    layout.check_replaceable(folder, version)
    contract.check_classifier(model, "model")
    image_shape = _find_image_shape(model, image_shape)
    num_classes = _count_classes(model, image_shape)
    names = _check_names(class_names, num_classes)
    plain = use_stock_layers(model)

    def write_version(path):
        archive = keras.export.ExportArchive()
        archive.track(plain)
        for name, (function, spec) in make_signatures(plain, image_shape, names).items():
            archive.add_endpoint(name, function, input_signature=[spec])
        archive.write_out(path, verbose=False)

    with tempfile.TemporaryDirectory() as elsewhere:
        file = pathlib.Path(elsewhere, layout.KERAS_FILE)
        write_keras_file(plain, file)
        description = {
            "image_shape": image_shape,
            "num_classes": num_classes,
            "class_names": names,
            "code_needed_by_keras_file": find_foreign_classes(file),
            "identity": identify(
                Subject.of(plain), tuple(side or ANY_SIDE for side in image_shape)
            ).to_json(),
            "training": training,
            "license": license,
            "versions": {
                "tfrobust": __version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            },
        }
        layout.write(folder, version, write_version, file.read_bytes(), description)
    return folder


def _find_image_shape(model, image_shape):
    if not model.built:
        raise UserError(
            f"{model.name} is not built and has no weights yet: call it on a batch, then export it."
        )
    if image_shape is None:
        shape = getattr(model, "input_shape", None)
        if shape is None:
            raise UserError(
                f"{model.name} does not know the shape of its images: give `image_shape=(h, w, c)`."
            )
        image_shape = shape[1:]
    image_shape = tuple(image_shape)
    if len(image_shape) != 3 or not isinstance(image_shape[-1], int):
        raise UserError(
            f"`image_shape` must be (h, w, c), with a known number of channels. {model.name} takes "
            f"{image_shape}."
        )
    return image_shape


def _count_classes(model, image_shape):
    """Returns k, after a check of the model's outputs for random pixels."""
    size = [side or ANY_SIDE for side in image_shape]
    pixels = np.random.default_rng(0).random((4, *size))
    pixels = contract.as_images_of(model, pixels)
    return contract.check_on_images(model, pixels).shape[1]


def _check_names(names, num_classes):
    if names is None:
        return None
    names = [str(name) for name in names]
    if len(names) != num_classes:
        raise UserError(
            f"`class_names` must have {num_classes} names, one for each logit. Received: {len(names)}."
        )
    return names
