"""Labels: a class number for each image or, where a loss is defined for it, a distribution over classes."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.contract.assertions import after, require
from tfrobust.errors import UserError
from tfrobust.ops.logits import is_soft

SUM_SLACK = 1e-3
"""How far from 1 the shares of a soft label may sum up, as they do in half precision."""


def check_label_spec(
    dtype: tf.DType, shape: tf.TensorShape, num_classes: int | None = None
) -> None:
    """Raises `UserError` unless a dtype and a shape, known as far as it is, are those of labels.

    These are integers (b,), or floating-point numbers (b, k): see `as_labels`.
    """
    if dtype.is_integer and shape.rank in (None, 1):
        return
    k = shape[-1] if shape.rank == 2 else None
    if dtype.is_floating and shape.rank == 2 and k != 1:
        if None not in (k, num_classes) and k != num_classes:
            raise UserError(
                f"Soft labels have a share for each class, shape (b, {num_classes}). Received: {shape}."
            )
        return
    raise UserError(
        "Labels must be integers of shape (b,), or soft ones: floating-point rows of shape (b, k) that sum "
        f"to 1. Received: dtype {dtype.name}, shape {shape}. Integer one-hot rows become soft labels by "
        "tf.cast(y, tf.float32), and class numbers by the argmax; of a column take the first entry."
    )


def check_counts(images: int | None, labels: int | None) -> None:
    """Raises `UserError` unless there are as many labels as images; None is not known."""
    if None not in (images, labels) and images != labels:
        raise UserError(
            f"Each image needs one label. Received: {labels} labels for {images} images."
        )


def has_soft_labels(x: Any, y: Any = None) -> bool:
    """Whether data, as `fit` takes them, have soft labels, as far as their types tell.

    Args:
        x: images, or a `tf.data.Dataset` of (x, y, ...).
        y: labels, where `x` is no data set.

    Example:
    >>> from tfrobust import contract
    >>> contract.has_soft_labels(np.zeros((2, 4, 4, 1)), np.array([[0.3, 0.7], [1.0, 0.0]]))
    True
    """
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        labels = spec[1] if isinstance(spec, tuple) and len(spec) > 1 else None
        return labels is not None and labels.shape.rank == 2 and labels.dtype.is_floating
    return y is not None and np.ndim(y) == 2 and is_soft(np.asarray(y))


def check_takes_soft_labels(part: Any, advice: str = "") -> None:
    """Raises `UserError` if a method, a regularizer or an attack says in `needs_class` that it needs one.

    Args:
        part: anything with `needs_class`.
        advice: what may be done about it besides taking the likeliest class.

    Example:
    >>> from tfrobust import contract
    >>> contract.check_takes_soft_labels(tfrobust.losses.Margin())
    Traceback (most recent call last):
    tfrobust.errors.UserError: Margin needs one class for each image: ...
    """
    if part.needs_class:
        raise UserError(
            f"{type(part).__name__} needs one class for each image: {part.needs_class}. Received: soft "
            "labels, distributions (b, k). Give their likeliest class, y.argmax(-1) for an array or "
            f"dataset.map(lambda x, y: (x, tf.argmax(y, -1))){advice}. See docs/soft_labels.md."
        )


def check_is_class(y: tf.Tensor, name: str) -> None:
    """Raises `UserError` for soft labels, of what is defined for one class only."""
    if is_soft(y):
        raise UserError(
            f"`{name}` is defined for one class of each image, integers (b,). Received: soft labels of "
            f"shape {y.shape}. Give their likeliest class, tf.argmax(y, -1)."
        )


def as_labels(y: np.ndarray | tf.Tensor | None, num_classes: int | None = None) -> tf.Tensor:
    """Labels as an int32 tensor (b,), or soft labels as a float32 or float64 tensor (b, k).

    Args:
        y: integers, (b,); or rows of shares, floating-point (b, k), at least 0, that sum to 1 within
            `SUM_SLACK`, what is left of which is divided out.
        num_classes: k; labels outside of 0..k-1 are refused, in a graph by an assertion. None if it is
            not known.

    Raises:
        UserError: for anything else.
    """
    if y is None:
        raise UserError(
            "Labels are needed beside the images: integers (b,), or distributions (b, k)."
        )
    y = tf.convert_to_tensor(y)
    check_label_spec(y.dtype, y.shape, num_classes)
    if is_soft(y):
        return _as_soft_labels(y)
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


def _as_soft_labels(y):
    y = y if y.dtype in (tf.float32, tf.float64) else tf.cast(y, tf.float32)
    total = tf.reduce_sum(y, axis=-1, keepdims=True)
    # NaN fails both.
    held = require(
        tf.reduce_all(y >= 0.0) & tf.reduce_all(tf.abs(total - 1.0) <= SUM_SLACK),
        "Soft labels must be shares of at least 0 that sum to 1 in each row. Received: smallest share",
        tf.reduce_min(y),
        ", smallest sum",
        tf.reduce_min(total),
        ", largest sum",
        tf.reduce_max(total),
        ". Of logits take tf.nn.softmax; of class numbers as floats tf.cast(y, tf.int64).",
    )
    return after(held, y / total)
