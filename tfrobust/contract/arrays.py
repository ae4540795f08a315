"""Images and labels in memory: looked at whole, and the first offender is named."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust.contract.batch import check_image_shape
from tfrobust.contract.classifier import num_classes
from tfrobust.contract.images import SLACK, check_image_dtype
from tfrobust.contract.labels import SUM_SLACK, check_counts, has_soft_labels
from tfrobust.errors import UserError


def check_arrays(
    classifier: keras.Model, x: Any, y: Any, name: str = "x", labels_name: str = "y"
) -> None:
    """Looks at arrays before the first step; others than arrays are left to the step, which looks again.

    Args:
        classifier: Keras model.
        x: images, (n, h, w, c), uint8 or floating-point in [0, 1].
        y: labels, integers (n,) or distributions (n, k); None where none are needed.
        name, labels_name: what the caller calls them.

    Raises:
        UserError: says which array, which example, what was expected and what to do.

    Example:
    >>> from tfrobust import contract
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> contract.check_arrays(model, np.zeros((2, 2, 2, 1)), np.array([0, 3]))
    Traceback (most recent call last):
    tfrobust.errors.UserError: `y`[1] is 3: labels must be from 0 to 2. ...
    """
    if not hasattr(x, "__array__"):
        return
    x = np.asarray(x)
    check_image_dtype(x.dtype, f"`{name}`")
    check_image_shape(tf.TensorShape(x.shape), classifier)
    _check_pixels(x, name)
    if y is None:
        return
    y = np.asarray(y)
    check = _check_soft_labels if has_soft_labels(None, y) else check_labels
    y = check(y, labels_name, num_classes(classifier))
    check_counts(len(x), len(y))


def check_images(images: Any, name: str = "images") -> np.ndarray:
    """Returns images as a uint8 or float32 array, or says what is wrong with them.

    Args:
      images: (n, h, w, c), uint8 in 0..255 or float in [0, 1]; an excess of rounding is cut off.
      name: what the user calls them.

    Returns:
      uint8 or float32 array (n, h, w, c); other float types are rounded to float32.

    Raises:
      UserError: wrong rank or type, no images, NaN, infinity, or a float outside [0, 1].

    Example:
    >>> from tfrobust import contract
    >>> contract.check_images(np.zeros((2, 4, 4, 3))).dtype.name
    'float32'
    """
    images = np.asarray(images)
    check_image_dtype(images.dtype, f"`{name}`")
    if images.ndim != 4:
        hint = f"Add the channel: {name}[..., None]." if images.ndim == 3 else "Reshape it."
        raise UserError(
            f"`{name}` has shape {images.shape}: images must be (n, height, width, channels). "
            f"{hint}"
        )
    if images.size == 0:
        raise UserError(f"`{name}` is empty, its shape is {images.shape}: give at least one image.")
    if images.shape[1] in (1, 3) and images.shape[2] == images.shape[3] > 4:
        raise UserError(
            f"`{name}` has shape {images.shape}, which looks like channels first: images must be "
            f"(n, height, width, channels). Use numpy.moveaxis({name}, 1, -1)."
        )
    if images.dtype == np.uint8:
        return images
    images = images.astype(np.float32, copy=False)
    _check_pixels(images, name)
    inside = images.min() >= 0 and images.max() <= 1
    return images if inside else np.clip(images, 0.0, 1.0)


def _check_pixels(images, name):
    if images.dtype == np.uint8 or not images.size:
        return
    if not (images.min() >= -SLACK and images.max() <= 1 + SLACK):  # NaN fails both
        _refuse_pixel(images, name)


def _refuse_pixel(images, name):
    finite = np.isfinite(images)
    bad = ~finite if not finite.all() else (images < -SLACK) | (images > 1 + SLACK)
    index, *pixel = (int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
    low, high = (float(f(images[finite])) for f in (np.min, np.max)) if finite.any() else (0, 0)
    if not finite.all():
        advice = "Repair the image or leave it out"
    elif low < 0:
        put = "input_range=(-1, 1)" if low >= -1 and high <= 1 else "input_range, mean, std"
        advice = (
            "Undo the normalisation, which belongs in the model: "
            f"tfrobust.adapt(model, {put}) puts it there"
        )
    else:
        advice = (
            "Divide by 255, or give uint8; tfrobust.adapt(model, input_range=(0, 255)) makes a model that "
            "wants 0..255 take these"
        )
    raise UserError(
        f"`{name}`[{index}] holds {images[index, *pixel]:.6g} at pixel {tuple(pixel)}: images must have all "
        f"pixels in [0, 1], finite, without NaN. Received: minimum {low:.6g}, maximum {high:.6g}. {advice}."
    )


def check_labels(labels: Any, name: str = "labels", num_classes: int | None = None) -> np.ndarray:
    """Returns class numbers as an int64 array, or says what is wrong with them.

    Soft labels are for training only, and no source of data, attack of an evaluation or report has them.

    Args:
      labels: (n,) integers in [0, num_classes).
      name: what the user calls them.
      num_classes: number of classes, or None if it is not known yet.

    Returns:
      int64 array (n,).

    Raises:
      UserError: wrong rank or type, or a label out of range.

    Example:
    >>> from tfrobust import contract
    >>> contract.check_labels([0, 2, 1], num_classes=3).dtype.name
    'int64'
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        hint = (
            f"Reshape it to ({len(labels)},)."
            if labels.shape[1:] == (1,)
            else "Give one class index each."
        )
        if labels.ndim == 2 and labels.shape[1] > 1:
            hint = f"If it is one-hot, use {name}.argmax(axis=-1)."
        raise UserError(f"`{name}` has shape {labels.shape}: labels must have shape (n,). {hint}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"`{name}` has dtype {labels.dtype}"
            + (f", {name}[0] is {labels[0]!s}" if len(labels) else "")
            + ": labels must be integers. "
            + (
                f"Turn names into numbers: class_names, {name} = numpy.unique({name}, return_inverse=True)."
                if labels.dtype.kind in "USO"
                else f'If they are class indices, use {name}.astype("int64").'
            )
        )
    bad = labels < 0 if num_classes is None else (labels < 0) | (labels >= num_classes)
    if bad.any():
        index = int(np.argmax(bad))
        wanted = "not be negative" if num_classes is None else f"be from 0 to {num_classes - 1}"
        raise UserError(
            f"`{name}`[{index}] is {labels[index]}: labels must {wanted}. Renumber the classes "
            "from 0" + ("." if num_classes is None else ", or correct the number of classes.")
        )
    return labels.astype(np.int64, copy=False)


def _check_soft_labels(labels, name, num_classes=None):
    if num_classes is not None and labels.shape[1] != num_classes:
        raise UserError(
            f"`{name}` has shape {labels.shape}: soft labels have a share for each of the "
            f"{num_classes} classes. Number the classes from 0, or correct the classifier."
        )
    total = labels.sum(axis=1, dtype=np.float64)
    # NaN fails both.
    bad = ~((labels >= 0).all(axis=1) & (np.abs(total - 1) <= SUM_SLACK))
    if bad.any():
        index = int(np.argmax(bad))
        raise UserError(
            f"`{name}`[{index}] has shares from {labels[index].min():.6g} that sum to {total[index]:.6g}: "
            "those of a soft label are at least 0 and sum to 1. Divide them by their sum; of logits take the "
            "softmax."
        )
    return labels
