"""Labels: one class number for each image."""

import numpy as np
import tensorflow as tf

from tfrobust.contract.assertions import after, require
from tfrobust.errors import UserError


def check_label_spec(dtype: tf.DType, shape: tf.TensorShape) -> None:
    """Raises `UserError` unless a dtype and a shape, known as far as it is, are those of labels (b,)."""
    if not dtype.is_integer or shape.rank not in (None, 1):
        raise UserError(
            "Labels must be integers of shape (b,), not one-hot vectors, probabilities or columns. "
            f"Received: dtype {dtype.name}, shape {shape}. Of one-hot rows take the argmax; of a column "
            "the first entry."
        )


def check_counts(images: int | None, labels: int | None) -> None:
    """Raises `UserError` unless there are as many labels as images; None is not known."""
    if None not in (images, labels) and images != labels:
        raise UserError(
            f"Each image needs one label. Received: {labels} labels for {images} images."
        )


def as_labels(y: np.ndarray | tf.Tensor | None, num_classes: int | None = None) -> tf.Tensor:
    """Labels as an int32 tensor.

    Args:
        y: integers, (b,).
        num_classes: k; labels outside of 0..k-1 are refused, in a graph by an assertion. None if it is
            not known.

    Raises:
        UserError: for anything else than class numbers of shape (b,).
    """
    if y is None:
        raise UserError("Labels are needed beside the images: integers of shape (b,).")
    y = tf.convert_to_tensor(y)
    check_label_spec(y.dtype, y.shape)
    y = tf.cast(y, tf.int32)
    if num_classes is not None:
        held = require(
            tf.reduce_all((y >= 0) & (y < num_classes)),
            f"Labels must lie between 0 and {num_classes - 1}, since the classifier has {num_classes} "
            "logits. Received: minimum",
            tf.reduce_min(y),
            ", maximum",
            tf.reduce_max(y),
            ". Renumber the classes from 0.",
        )
        y = after(held, y)
    return y
