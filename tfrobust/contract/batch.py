"""The door: a batch of images and labels, and the model that is to see them."""

import keras
import tensorflow as tf

from tfrobust.contract.assertions import after
from tfrobust.contract.classifier import check_model, image_dtype, image_shape, num_classes
from tfrobust.contract.images import as_images
from tfrobust.contract.labels import as_labels, check_counts
from tfrobust.contract.outputs import check_output_shape, look_once, require_logits
from tfrobust.contract.tail import find_tail
from tfrobust.errors import UserError
from tfrobust.ops.logits import inference

_DICTIONARY = {"image", "label"}


def as_batch(model, x, y):
    """Images and labels that a model's attack or loss may rely on.

    Args:
        model: Keras model, or function from images to logits.
        x: images, (b, h, w, c): uint8, or floating-point in [0, 1].
        y: labels, integers (b,).

    Returns:
        Images in [0, 1] in the model's precision (see `image_dtype`), and int32 labels.

    Raises:
        UserError: says what was seen, what was expected and what to do. What only numbers show is in a
            graph an assertion.
    """
    x = as_images_of(model, x)
    y = as_labels(y, num_classes(model))
    check_counts(x.shape[0], y.shape[0])
    return x, y


def as_images_of(model, x):
    """Images in the precision of a model and of the shape that it takes; see `as_batch`."""
    x = as_images(x, image_dtype(model))
    check_image_shape(x.shape, model)
    return x


def check_image_shape(shape, model):
    """Raises `UserError` unless a batch's shape (b, h, w, c) is what a model that knows it takes."""
    wanted = image_shape(model)
    if wanted is None or shape.rank is None or shape[1:].is_compatible_with(wanted):
        return
    raise UserError(
        f"The classifier {model.name!r} takes images of shape (b, {', '.join(map(str, wanted))}). "
        f"Received: {tuple(shape)}."
    )


def unpack(data, classifier):
    """Images, labels and sample weights (or None) of a batch of a training or test step.

    Args:
        data: what Keras hands to a step: (x, y), (x, y, sample_weight), or a dictionary of "image" and
            "label" as of TFDS.
        classifier: Keras model.

    Raises:
        UserError: as of `as_batch`.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(x, dict) and y is None and set(x) >= _DICTIONARY:
        x, y = x["image"], x["label"]
    if isinstance(x, (dict, list, tuple)):
        raise UserError(
            "A batch is (images, labels), (images, labels, weights), or a dictionary of 'image' and "
            f"'label'. Received: {keras.tree.map_structure(lambda v: getattr(v, 'shape', v), data)}."
        )
    x, y = as_batch(classifier, x, y)
    if sample_weight is not None:
        sample_weight = tf.cast(tf.reshape(sample_weight, [-1]), tf.float32)
    return x, y, sample_weight


def check_attacked_batch(model, x, y):
    """`as_batch` where an attack is called directly: the model is looked at too."""
    check_model(model)
    x, y = as_batch(model, x, y)
    if find_tail(model).kind == "logits":
        return x, y
    if tf.executing_eagerly():
        look_once(model, x)
        return x, y
    # One image more than the attack itself asks for.
    logits = inference(model)(x[:1])
    check_output_shape(logits.shape)
    return after(require_logits(logits, few=True), (x, y))
