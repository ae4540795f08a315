"""Reading a data set again from the name and the arguments that a run has recorded."""

import inspect
import json
from collections.abc import Callable
from typing import Any

from tfrobust.data.sources.arrays import npz
from tfrobust.data.sources.digits import digits
from tfrobust.data.sources.image_folder import image_folder
from tfrobust.data.sources.image_list import image_list
from tfrobust.data.sources.npy import npy
from tfrobust.data.sources.tfds_images import tfds_images
from tfrobust.data.sources.usual import USUAL, Usual
from tfrobust.data.splits import Splits
from tfrobust.data.stored.crops import CenterCrop, Crop, RandomResizedCrop
from tfrobust.errors import UserError

SOURCES: dict[str, Callable[..., Splits]] = {
    f.__name__: f for f in (digits, image_folder, image_list, npy, npz, tfds_images)
}
CROPS: dict[str, type] = {crop.__name__: crop for crop in (CenterCrop, RandomResizedCrop)}
# A record from somebody else must not start a download, nor decide where data are read.
_LEFT_OUT = ("data_dir", "download")


def load_source(source: dict[str, Any]) -> Splits:
    """Reads the data set that a run was trained on.

    Only functions of this room are called.

    Args:
        source: `splits.info.source`, such as {"name": "npz", "arguments": {"path": ...}}.

    Returns:
        `Splits`.

    Raises:
        UserError: there is no such function, or it has no such arguments; or as for the function.

    Example:
        >>> load_source({"name": "digits", "arguments": {"validation": 100}}).validation
        Split(100 images (8, 8, 1) float32)
    """
    try:
        json.dumps(source)
        function, arguments = SOURCES[source["name"]], dict(source["arguments"])
        arguments = {k: _read_value(v) for k, v in arguments.items() if k not in _LEFT_OUT}
        inspect.signature(function).bind(**arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{source!r} is not a data set of tfrobust: expected one of {sorted(SOURCES)} and its arguments. "
            "Give the data with --data."
        ) from error
    try:
        return function(**arguments)
    except (AttributeError, TypeError) as error:
        raise UserError(
            f"{source!r} cannot be read: {error}. Give the data with --data."
        ) from error


def read_test_crop(source: dict[str, Any] | None, size: tuple[int, int]) -> Crop | None:
    """The part of a picture that evaluation saw in a data set that `source` records; None for the largest.

    Args:
        source: `splits.info.source`, or None.
        size: (height, width) of the images.
    """
    name, arguments = (source or {}).get("name"), (source or {}).get("arguments", {})
    try:
        crop = _read_value(arguments.get("test_crop"))
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{arguments['test_crop']!r} is no crop of tfrobust. Give another model."
        ) from error
    if crop is None and name == tfds_images.__name__:
        return USUAL.get(str(arguments.get("name")), Usual()).choose_test_crop(size)
    return crop


def _read_value(value):
    if isinstance(value, dict):
        fields = {name: _read_value(field) for name, field in value.items()}
        return CROPS[fields.pop("spec")](**fields)
    return tuple(map(_read_value, value)) if isinstance(value, list) else value
