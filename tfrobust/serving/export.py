"""A trained classifier in two forms that other programs load: `.keras` and SavedModel."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.serving.keras_file import code_needed, with_stock_layers, write_keras_file
from tfrobust.version import __version__

# What an export left that did not list its files yet.
_FORMER_FILES = (
    "classifier.keras",
    "saved_model/fingerprint.pb",
    "saved_model/saved_model.pb",
    "saved_model/variables/variables.data-00000-of-00001",
    "saved_model/variables/variables.index",
)


# Of a model that takes any size.
_ANY_SIDE = 224


def export_classifier(model, folder, class_names=None, image_shape=None):
    """Writes a classifier so that it loads without tfrobust; the folder appears whole or not at all.

        folder/classifier.keras    `keras.saving.load_model` gives a Keras model, pixels to logits
        folder/saved_model/        `tf.saved_model.load`, TensorFlow Serving
        folder/export.json         shapes, class names, versions, and the classes of which the
                                   `.keras` file needs the code (none for the models of tfrobust)

    The SavedModel has two signatures, both for any batch size:

        serving_default    images   uint8 (b, h, w, c), as decoded from a file
        pixels             pixels   float32 (b, h, w, c) in [0, 1], differentiable

    each of which returns `logits` and `probabilities`, float32 (b, k), `class`, int64 (b,), and, if
    names are given, `class_name`, string (b,).

    Our BatchNormalization and Dropout are exchanged for Keras's, the same in inference. A model
    with code of its own (a subclass of `keras.Model`) cannot be taken apart and is written as it is.

    Args:
        model: built Keras model, float pixels in [0, 1] to logits (b, k); not changed.
        folder: new, empty, or holding what an earlier export left there and nothing else, which is
            then replaced.
        class_names: k names, in the order of the logits; optional.
        image_shape: (h, w, c), where h and w may be None for any size; read from the model if it knows.

    Returns:
        The folder's path.

    Raises:
        UserError: a model that is not built, whose image shape is not known or whose outputs are not
            logits (b, k), or another number of names than k; or a folder that holds anything else.
    """
    folder = pathlib.Path(folder)
    check_replaceable(folder)
    contract.check_classifier(model, "model")
    image_shape = _image_shape(model, image_shape)
    num_classes = _num_classes(model, image_shape)
    class_names = _checked_names(class_names, num_classes)
    plain = with_stock_layers(model)
    with files.whole_folder(folder) as unfinished:
        write_keras_file(plain, unfinished / "classifier.keras")
        _write_saved_model(plain, unfinished / "saved_model", image_shape, class_names)
        description = {
            "image_shape": image_shape,
            "num_classes": num_classes,
            "class_names": class_names,
            "code_needed_by_keras_file": code_needed(unfinished / "classifier.keras"),
            "versions": {
                "tfrobust": __version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            },
        }
        description["files"] = _files(unfinished)
        files.write_json(unfinished / kinds.EXPORT.marker, description)
        check_replaceable(folder)
    return folder


def check_replaceable(folder):
    """Refuses a folder in which an export would remove anything that no export left there.

    Raises:
        UserError: it names what is in the way.
    """
    if not kinds.check_ours(folder, kinds.EXPORT):
        return
    left = set(kinds.EXPORT.read(folder).get("files", _FORMER_FILES)) | {kinds.EXPORT.marker}
    others = [name for name in _files(folder) if name not in left]
    if others:
        raise UserError(
            f"{folder} holds an export, and files that no export left there: {', '.join(others[:3])}"
            f"{', ...' if len(others) > 3 else ''}. An export replaces the whole folder: move them away, "
            "or choose another folder."
        )


def _files(folder):
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


def _image_shape(model, image_shape):
    if not model.built:
        raise UserError(f"{model.name} has no weights yet: call it on a batch, then export it.")
    if image_shape is None:
        shape = getattr(model, "input_shape", None)
        if shape is None:
            raise UserError(
                f"{model.name} does not know the shape of its images: give `image_shape=(h, w, c)`."
            )
        image_shape = shape[1:]
    image_shape = tuple(image_shape)
    if len(image_shape) != 3 or not isinstance(image_shape[-1], int):
        raise UserError(f"Images have a shape (h, w, c). {model.name} takes {image_shape}.")
    return image_shape


def _num_classes(model, image_shape):
    """k, after a look at what the model gives for random pixels."""
    size = [side or _ANY_SIDE for side in image_shape]
    pixels = np.random.default_rng(0).random((4, *size))
    pixels = contract.as_images_of(model, pixels)
    return contract.check_on_images(model, pixels).shape[1]


def _checked_names(names, num_classes):
    if names is None:
        return None
    names = [str(name) for name in names]
    if len(names) != num_classes:
        raise UserError(
            f"{num_classes} logits need {num_classes} class names. Received {len(names)}."
        )
    return names
