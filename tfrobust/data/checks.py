"""What a user's images and labels must be; the first offender is named."""

import numpy as np

from tfrobust.errors import UserError


def check_images(images, name="images"):
    """Returns images as a uint8 or float32 array, or says what is wrong with them.

    Args:
      images: (n, h, w, c), uint8 in 0..255 or float in [0, 1].
      name: what the user calls them.

    Returns:
      uint8 or float32 array (n, h, w, c); other float types are rounded to float32.

    Raises:
      UserError: wrong rank or type, no images, NaN, infinity, or a float outside [0, 1].
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
        raise UserError(
            f"`{name}` has dtype {images.dtype}: images must be uint8 in 0..255 or float in [0, "
            "1]. "
            f'If its values are 0..255, use {name}.astype("uint8").'
        )
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
    if not (images.min() >= 0 and images.max() <= 1):  # NaN fails both
        _refuse_pixel(images, name)
    return images


def _refuse_pixel(images, name):
    finite = np.isfinite(images)
    bad = ~finite if not finite.all() else (images < 0) | (images > 1)
    index, *pixel = (int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
    value = images[index, *pixel]
    seen = f"`{name}`[{index}] holds {value} at pixel {tuple(pixel)}: float images must "
    if not np.isfinite(value):
        raise UserError(seen + "be finite and in [0, 1]. Repair the image or leave it out.")
    if images.min() < 0:
        raise UserError(
            seen + "be in [0, 1]. Undo the normalisation, which belongs inside the model."
        )
    raise UserError(seen + "be in [0, 1]. Divide by 255?")


def check_labels(labels, name="labels", num_classes=None):
    """Returns labels as an int64 array, or says what is wrong with them.

    Args:
      labels: (n,) integers in [0, num_classes).
      name: what the user calls them.
      num_classes: number of classes, or None if it is not known yet.

    Returns:
      int64 array (n,).

    Raises:
      UserError: wrong rank or type, or a label out of range.
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
            + f': labels must be integers. If they are class indices, use {name}.astype("int64").'
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


def check_count(value, name):
    """Returns `value` if it is an integer of at least 1; raises `UserError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise UserError(f"`{name}` must be an integer of at least 1. Received: {value!r}.")
    return int(value)
