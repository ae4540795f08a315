"""Resizing images of any size to one size."""

import tensorflow as tf

from tfrobust.data.checks import check_count
from tfrobust.errors import UserError


def check_image_size(image_size):
    """Returns (height, width) of an `image_size`: one integer or a pair; or raises `UserError`."""
    if isinstance(image_size, (tuple, list)):
        if len(image_size) != 2:
            raise UserError(
                f"`image_size` must be one integer or (height, width). Received: {image_size!r}."
            )
        return tuple(check_count(n, "image_size") for n in image_size)
    return (check_count(image_size, "image_size"),) * 2


def cover(image, size):
    """Cuts the largest centred part of the wanted proportions out of an image and resizes it.

    Bilinear with antialiasing: shrinking averages, so nothing is skipped over.

    Args:
        image: uint8 (h, w, c); h and w may be unknown to the graph.
        size: (height, width).

    Returns:
        uint8 (height, width, c).
    """
    height, width = size
    shape = tf.shape(image)
    cut_height = tf.minimum(shape[0], tf.maximum(1, shape[1] * height // width))
    cut_width = tf.minimum(shape[1], tf.maximum(1, shape[0] * width // height))
    image = tf.image.resize_with_crop_or_pad(image, cut_height, cut_width)
    image = tf.image.resize(image, size, "bilinear", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
