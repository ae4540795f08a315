"""Images as PNG files, and differences that can be seen."""

import io

import numpy as np
from PIL import Image


def factor(delta):
    """What a difference is multiplied with, so that its largest entry is half of the pixel range."""
    largest = float(np.abs(delta).max())
    return 0.5 / largest if largest > 0 else 1.0


def amplified(delta):
    """A difference as an image in [0, 1]: grey where nothing changed, its largest entry black or white."""
    return 0.5 + factor(delta) * np.asarray(delta, float)


def png(image):
    """The bytes of a PNG file.

    Args:
        image: (h, w, c) in [0, 1]; of other than one or three channels the mean is shown.
    """
    image = np.clip(np.nan_to_num(np.asarray(image, float)), 0.0, 1.0)
    if image.shape[-1] not in (1, 3):
        image = image.mean(axis=-1, keepdims=True)
    levels = np.round(255.0 * image).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(content, "PNG")
    return content.getvalue()
