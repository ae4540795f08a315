"""Decoding a part of a picture, and resizing it to an image."""

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from tfrobust.data.resize import resize_antialiased
from tfrobust.data.stored.crops import Crop
from tfrobust.errors import UserError

# Checked by content, whatever the name of a file: decoders of other formats start programs, or are not
# well maintained.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
# A small file can claim any size; this many pixels take 200 MB when decoded.
MOST_PIXELS = 2**26

Decoder = Callable[[Image.Image, bytes, int], np.ndarray]
"""From an opened picture, its bytes and a number of channels to its pixels, uint8 (h, w, c)."""


def decode_by_pillow(picture: Image.Image, data: bytes, channels: int) -> np.ndarray:
    """Decodes a whole picture as Pillow does."""
    pixels = np.asarray(picture.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)


def decode_by_tensorflow(picture: Image.Image, data: bytes, channels: int) -> np.ndarray:
    """Decodes a whole picture as TensorFlow and TFDS do, which differs in JPEG's last bit."""
    return tf.io.decode_image(data, channels, expand_animations=False).numpy()


def read_image(
    data: bytes,
    name: str,
    size: tuple[int, int],
    channels: int,
    crop: Crop,
    words: np.ndarray | None = None,
    decode: Decoder = decode_by_pillow,
) -> np.ndarray:
    """Makes an image out of a part of an encoded picture.

    Args:
        data: content of a picture's file.
        name: of the file or record, for messages.
        size: (height, width) of the image.
        channels: 3 (RGB) or 1 (luminance).
        crop: chooses the part.
        words: random words of the crop, or None.
        decode: how whole pictures are decoded.

    Returns:
        uint8 (height, width, channels).

    Raises:
        UserError: names the file and says why it cannot be read.

    Example:
        >>> from tfrobust.data.stored.crops import CenterCrop
        >>> file = io.BytesIO()
        >>> Image.fromarray(np.full((9, 12, 3), 7, np.uint8)).save(file, "PNG")
        >>> read_image(file.getvalue(), "a.png", (4, 4), 1, CenterCrop()).ravel()[:3]
        array([7, 7, 7], dtype=uint8)
    """
    # Eager operations would go to a GPU, and stop those of the training step.
    with _name_errors(name), _open(io.BytesIO(data)) as picture, tf.device("CPU:0"):
        box = crop.choose_box(picture.height, picture.width, size, words)
        if crop.whole_pixels:
            top, left, height, width = map(int, box)
            pixels = decode(picture, data, channels)[top : top + height, left : left + width]
            return resize_antialiased(pixels, size)
        if picture.format == "JPEG":
            picture, box = _decode_window(data, box, size, picture.height, picture.width, channels)
        mode = "RGB" if channels == 3 else "L"
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        picture = picture if picture.mode == mode else picture.convert(mode)
        resized = picture.resize(size[::-1], Image.Resampling.BILINEAR, corners)
        return np.asarray(resized).reshape(*size, channels)


@contextlib.contextmanager
def _name_errors(name: str) -> Iterator[None]:
    kinds = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, tf.errors.OpError)
    try:
        yield
    except kinds as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{name} cannot be read as an image ({', '.join(FORMATS)}, by content): {reason}. Repair it, "
            "convert it to 8-bit PNG, or remove it."
        ) from error


class Header(NamedTuple):
    """What the first bytes of a picture's file say.

    Attributes:
        height, width: in pixels.
        is_grey: whether it has luminance only.
    """

    height: int
    width: int
    is_grey: bool


def read_header(path: str) -> Header:
    """Returns the `Header` of a picture's file, or raises `UserError`; decodes nothing."""
    with _name_errors(path), open(path, "rb") as file, _open(file) as picture:
        return Header(picture.height, picture.width, picture.mode in ("1", "L", "LA"))


def _open(file):
    with warnings.catch_warnings():
        # Pillow warns of sizes that are errors here.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        picture = Image.open(file, formats=FORMATS)
    if picture.width * picture.height > MOST_PIXELS:
        raise OSError(
            f"it has {picture.width} x {picture.height} pixels, more than {MOST_PIXELS} in all"
        )
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        raise OSError(f"its pixels are of mode {picture.mode}, more than 8 bits")
    return picture


def _decode_window(data, box, size, height, width, channels):
    """Decodes only the pixels of a JPEG that the resized box depends on; returns them and the box in them."""
    starts, stops = [], []
    sides = zip((box.top, box.left), (box.height, box.width), size, (height, width), strict=True)
    for start, length, wanted, whole in sides:
        # The triangle of bilinear resizing reaches over one pixel of the coarser of the two grids.
        reach = max(1.0, length / wanted) + 1
        starts.append(max(0, math.floor(start - reach)))
        stops.append(min(whole, math.ceil(start + length + reach)))
    (top, left), (bottom, right) = starts, stops
    window = tf.image.decode_and_crop_jpeg(data, [top, left, bottom - top, right - left], channels)
    pixels = window.numpy()
    picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
    return picture, box._replace(top=box.top - top, left=box.left - left)
