"""The door: a batch of images and labels, and the model that is to see them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
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


def as_batch(
    model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
    x: np.ndarray | tf.Tensor,
    y: np.ndarray | tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Images and labels that a model's attack or loss may rely on.

    Args:
        model: Keras model, or function from images to logits.
        x: images, (b, h, w, c): uint8, or floating-point in [0, 1].
        y: labels, integers (b,), or distributions, floating-point (b, k).

    Returns:
        Images in [0, 1] in the model's precision (see `image_dtype`); and labels, int32 (b,), or soft
        ones in float32 or float64, (b, k).

    Raises:
        UserError: says what was seen, what was expected and what to do. What only numbers show is in a
            graph an assertion.

    Example:
    >>> from tfrobust import contract
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> x, y = contract.as_batch(model, np.full((2, 2, 2, 1), 255, "uint8"), np.array([0, 2]))
    >>> x.dtype.name, float(tf.reduce_max(x)), y.dtype.name
    ('float32', 1.0, 'int32')
    """
    x = as_images_of(model, x)
    y = as_labels(y, num_classes(model))
    check_counts(x.shape[0], y.shape[0])
    return x, y


def as_images_of(
    model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor], x: np.ndarray | tf.Tensor
) -> tf.Tensor:
    """Images in the precision of a model and of the shape that it takes; see `as_batch`.

    Example:
    >>> from tfrobust import contract
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> contract.as_images_of(model, np.zeros((5, 2, 2, 1))).dtype.name
    'float32'
    """
    x = as_images(x, image_dtype(model))
    check_image_shape(x.shape, model)
    return x


def check_image_shape(
    shape: tf.TensorShape, model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor]
) -> None:
    """Raises `UserError` unless a batch's shape (b, h, w, c) is what a model that knows it takes."""
    wanted = image_shape(model)
    if wanted is None or shape.rank is None or shape[1:].is_compatible_with(wanted):
        return
    name = getattr(model, "name", model)
    raise UserError(
        f"The classifier {name!r} takes images of shape (b, {', '.join(map(str, wanted))}). "
        f"Received: {tuple(shape)}."
    )


def unpack(data: Any, classifier: keras.Model) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Images, labels and sample weights (or None) of a batch of a training or test step.

    Args:
        data: what Keras hands to a step: (x, y), (x, y, sample_weight), or a dictionary of "image" and
            "label" as of TFDS.
        classifier: Keras model.

    Raises:
        UserError: as of `as_batch`.

    Example:
    >>> from tfrobust import contract
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> batch = {"image": np.zeros((2, 2, 2, 1), "uint8"), "label": np.array([0, 2])}
    >>> x, y, sample_weight = contract.unpack(batch, model)
    >>> x.shape, y.shape, sample_weight
    (TensorShape([2, 2, 2, 1]), TensorShape([2]), None)
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


def check_attacked_batch(
    model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
    x: np.ndarray | tf.Tensor,
    y: np.ndarray | tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """`as_batch` where an attack is called directly: the model is looked at too.

    Example:
    >>> from tfrobust import contract
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> contract.check_attacked_batch(model, np.full((2, 2, 2, 1), 9.0), np.array([0, 2]))
    Traceback (most recent call last):
    tfrobust.errors.UserError: Images must have all pixels in [0, 1], ...
    """
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
