"""Resizing images of any size to one size."""

import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer


def check_image_size(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """Returns (height, width) of an `image_size`, which is one integer or such a pair.

    Raises:
        UserError: it is neither.

    Example:
        >>> check_image_size(8)
        (8, 8)
    """
    if isinstance(image_size, (tuple, list)):
        if len(image_size) != 2:
            raise UserError(
                f"`image_size` must be one integer or (height, width). Received: {image_size!r}."
            )
        height, width = image_size
    else:
        height = width = image_size
    return integer(height, "image_size", minimum=1), integer(width, "image_size", minimum=1)


def crop_and_resize(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Crops the largest central part with the aspect ratio of `size` out of an image, and resizes it.

    Resizing is bilinear with antialiasing: a smaller image averages over all pixels.

    Args:
        image: uint8 (h, w, c); h and w may be unknown to the graph.
        size: (height, width).

    Returns:
        uint8 (height, width, c).

    Example:
        >>> crop_and_resize(tf.zeros((9, 12, 3), tf.uint8), (8, 8)).shape
        TensorShape([8, 8, 3])
    """
    height, width = size
    shape = tf.shape(image)
    cut_height = tf.minimum(shape[0], tf.maximum(1, shape[1] * height // width))
    cut_width = tf.minimum(shape[1], tf.maximum(1, shape[0] * width // height))
    image = tf.image.resize_with_crop_or_pad(image, cut_height, cut_width)
    image = tf.image.resize(image, size, "bilinear", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def resize_antialiased(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes an array as `crop_and_resize` does a tensor, to the same bits.

    Args:
        pixels: uint8 (h, w, c).
        size: (height, width).

    Returns:
        uint8 (height, width, c).

    Example:
        >>> resize_antialiased(np.full((8, 4, 1), 9, np.uint8), (2, 1)).ravel()
        array([9, 9], dtype=uint8)
    """
    if pixels.shape[:2] == tuple(size):
        return pixels
    resized = tf.image.resize(pixels, size, "bilinear", antialias=True).numpy()
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)
