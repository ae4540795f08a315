"""Exporting a trained classifier in two forms that other programs load: `.keras` and SavedModel."""

import os
import pathlib
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.serving.keras_file import find_foreign_classes, use_stock_layers, write_keras_file
from tfrobust.version import __version__

# The files of exports from before exports listed theirs.
_FORMER_FILES = (
    "classifier.keras",
    "saved_model/fingerprint.pb",
    "saved_model/saved_model.pb",
    "saved_model/variables/variables.data-00000-of-00001",
    "saved_model/variables/variables.index",
)
# Height and width at which a model that takes any size is tried.
_ANY_SIDE = 224


def export_classifier(
    model: keras.Model,
    folder: str | os.PathLike,
    class_names: Sequence[str] | None = None,
    image_shape: tuple[int | None, int | None, int] | None = None,
) -> pathlib.Path:
    """Writes a classifier into a folder, in forms that load without tfrobust.

    Use it to serve a classifier, or to give it to somebody else. The folder appears whole or not at all:

        folder/classifier.keras    for `keras.saving.load_model`: a Keras model from pixels to logits
        folder/saved_model/        for `tf.saved_model.load` and TensorFlow Serving
        folder/export.json         shapes, class names, versions, and the classes of which the
                                   `.keras` file needs the code (none for the models of tfrobust)

    The SavedModel has two signatures, both for any batch size:

        serving_default    images   uint8 (b, h, w, c), as decoded from a file
        pixels             pixels   float32 (b, h, w, c) in [0, 1], differentiable

    Each of them returns `logits` and `probabilities`, float32 (b, k), `class`, int64 (b,), and, if
    names are given, `class_name`, string (b,).

    tfrobust's BatchNormalization and Dropout are exchanged for Keras's, which give the same logits in
    inference. A model with its own code (a subclass of `keras.Model`) is written as it is.

    Args:
        model: built Keras model from float pixels in [0, 1] to logits (b, k); it is not changed.
        folder: a new or an empty folder, or one that contains an earlier export and nothing else; that
            export is replaced.
        class_names: k names, in the order of the logits; optional.
        image_shape: (h, w, c), where h and w may be None for any size. Default: as the model says.

    Returns:
        The path of the folder.

    Raises:
        UserError: the model is not built, its image shape is not known, its outputs are not logits
            (b, k), the number of names is not k, or the folder contains other files.

    Example:
        >>> folder = tfrobust.serving.export_classifier(tfrobust.models.digits_cnn(), "export")
        >>> serve = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
        >>> serve(images=tf.zeros((2, 8, 8, 1), tf.uint8))["logits"].shape
        TensorShape([2, 10])
    """
    folder = pathlib.Path(folder)
    check_replaceable(folder)
    contract.check_classifier(model, "model")
    image_shape = _find_image_shape(model, image_shape)
    num_classes = _count_classes(model, image_shape)
    names = _check_names(class_names, num_classes)
    plain = use_stock_layers(model)
    with files.write_folder(folder) as unfinished:
        write_keras_file(plain, unfinished / "classifier.keras")
        _write_saved_model(plain, unfinished / "saved_model", image_shape, names)
        description = {
            "image_shape": image_shape,
            "num_classes": num_classes,
            "class_names": names,
            "code_needed_by_keras_file": find_foreign_classes(unfinished / "classifier.keras"),
            "versions": {
                "tfrobust": __version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            },
        }
        description["files"] = _list_files(unfinished)
        files.write_json(unfinished / kinds.EXPORT.marker, description)
        check_replaceable(folder)
    return folder


def check_replaceable(folder: str | os.PathLike) -> None:
    """Raises an error if a new export into a folder would remove files that no export has written.

    Raises:
        UserError: it names the files.
    """
    if not kinds.check_ours(folder, kinds.EXPORT):
        return
    content = kinds.EXPORT.read(folder) or {}
    left = set(content.get("files", _FORMER_FILES)) | {kinds.EXPORT.marker}
    others = [name for name in _list_files(folder) if name not in left]
    if others:
        raise UserError(
            f"{folder} contains an export and other files: {', '.join(others[:3])}"
            f"{', ...' if len(others) > 3 else ''}. An export replaces the whole folder: move these files, "
            "or choose another folder."
        )


def _list_files(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in pathlib.Path(folder).rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


def _write_saved_model(model, path, image_shape, class_names):
    def outputs(pixels):
        logits = tf.cast(model(pixels, training=False), tf.float32)
        classes = tf.argmax(logits, axis=-1)
        named = {"logits": logits, "probabilities": tf.nn.softmax(logits), "class": classes}
        if class_names is not None:
            named["class_name"] = tf.gather(tf.constant(class_names), classes)
        return named

    def of_images(images):
        return outputs(contract.from_uint8(images))

    def of_pixels(pixels):
        return outputs(pixels)

    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, function, dtype, argument in (
        ("serving_default", of_images, tf.uint8, "images"),
        ("pixels", of_pixels, tf.float32, "pixels"),
    ):
        signature = [tf.TensorSpec((None, *image_shape), dtype, name=argument)]
        archive.add_endpoint(name, function, input_signature=signature)
    archive.write_out(path, verbose=False)


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
    size = [side or _ANY_SIDE for side in image_shape]
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
