"""Images: pixels in [0, 1] in the precision of the classifier; uint8 means k / 255."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.contract.assertions import after, require
from tfrobust.errors import UserError

SLACK = 1e-6
"""Pixels that leave [0, 1] by so little, a few units in the last place of float32, are clipped."""


def range_message(low: tf.Tensor, high: tf.Tensor) -> tuple[str | tf.Tensor, ...]:
    """The parts of a message about pixels between `low` and `high`, numbers or scalar tensors."""
    return (
        "Images must have all pixels in [0, 1], without NaN. Received: minimum",
        low,
        ", maximum",
        high,
        ". Divide 0..255 by 255 or give uint8; undo a normalisation, which belongs in the model: "
        "tfrobust.adapt(model, input_range, mean, std) puts it there.",
    )


def check_image_dtype(dtype: Any, name: str = "Images") -> None:
    """Raises `UserError` unless a dtype of NumPy or TensorFlow is uint8 or a floating-point one."""
    dtype = tf.as_dtype(dtype)
    if dtype != tf.uint8 and not dtype.is_floating:
        raise UserError(
            f"{name} must be uint8 in 0..255, which means k / 255, or floating-point in [0, 1]. "
            f"Received: dtype {dtype.name}. {_advise(dtype)}"
        )


def _advise(dtype):
    if dtype == tf.bool:
        return 'For black and white use 0 and 1: images.astype("float32").'
    advice = 'If the values are 0 to 255, use images.astype("uint8")'
    if not dtype.is_integer or dtype == tf.int8:
        return f"{advice}."
    # uint8 would keep the last byte only.
    return f"{advice}; divide larger values by that of white, such as 65535."


def from_uint8(x: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """uint8 tensors as k / 255; others as they are.

    Example:
    >>> from tfrobust import contract
    >>> float(contract.from_uint8(tf.constant(255, tf.uint8)))
    1.0
    """
    if x.dtype != tf.uint8:
        return x
    # A table, since in a graph TensorFlow makes of a division a product with a rounded 1/255.
    return tf.gather(tf.constant(np.arange(256) / 255, dtype), tf.cast(x, tf.int32))


def array_from_uint8(x: np.ndarray) -> np.ndarray:
    """uint8 arrays as float32, k / 255; others as they are. The numbers are those of `from_uint8`.

    Example:
    >>> from tfrobust import contract
    >>> contract.array_from_uint8(np.array([0, 255], "uint8"))
    array([0., 1.], dtype=float32)
    """
    return np.divide(x, np.float32(255), dtype=np.float32) if x.dtype == np.uint8 else x


def as_images(x: np.ndarray | tf.Tensor, dtype: tf.DType | None = None) -> tf.Tensor:
    """Images as a tensor that everything behind the door may rely on.

    Args:
        x: uint8 in 0..255 or floating-point in [0, 1], shape (b, ...).
        dtype: of the result; None for float64 where it is given, and float32 otherwise.

    Returns:
        Pixels in [0, 1], of the shape of `x`.

    Raises:
        UserError: for other dtypes, and for pixels outside of [0, 1] or NaN; in a graph it is an
            assertion.

    Example:
    >>> from tfrobust import contract
    >>> x = contract.as_images(np.array([[0, 51, 255]], "uint8"))
    >>> [round(float(pixel), 6) for pixel in x[0]]
    [0.0, 0.2, 1.0]
    """
    x = _convert(x)
    check_image_dtype(x.dtype)
    if dtype is None:
        dtype = tf.float64 if x.dtype == tf.float64 else tf.float32
    if x.dtype == tf.uint8:
        return from_uint8(x, dtype)
    inside = tf.reduce_all((x >= -SLACK) & (x <= 1 + SLACK))
    held = require(inside, *range_message(tf.reduce_min(x), tf.reduce_max(x)))
    return tf.clip_by_value(tf.cast(after(held, x), dtype), 0.0, 1.0)


def _convert(x):
    if isinstance(x, np.ndarray) and x.dtype == object:
        raise UserError("Images must be numbers of one shape. Received: an array of objects.")
    try:
        return tf.convert_to_tensor(x)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"Images must be an array or a tensor, (b, h, w, c). Received: {type(x).__name__}."
        ) from error
