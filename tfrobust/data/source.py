"""Data sets by a name and arguments that a file can keep."""

import inspect
import json

from tfrobust.data.arrays import npz
from tfrobust.data.digits import digits
from tfrobust.data.folder import image_folder
from tfrobust.data.tfds_images import tfds_images
from tfrobust.errors import UserError

SOURCES = {f.__name__: f for f in (digits, image_folder, npz, tfds_images)}
# A stranger's file neither makes anybody download nor says where prepared data are.
_LEFT_OUT = ("data_dir", "download")


def load_source(source):
    """The data set that a `Splits` came from.

    Use it to read again what a run was trained on. Nothing but the named function of this room is called.

    Args:
            source: `splits.info.source`: {"name": "npz", "arguments": {"path": ...}}.

    Returns:
            `Splits`.

    Raises:
            UserError: it names no source of this room, or arguments that the source has not; or as the
                    source does.
    """
    try:
        json.dumps(source)
        function, arguments = SOURCES[source["name"]], dict(source["arguments"])
        arguments = {k: _tuple(v) for k, v in arguments.items() if k not in _LEFT_OUT}
        inspect.signature(function).bind(**arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{source!r} names no data set of tfrobust: expected one of {sorted(SOURCES)} and its arguments. "
            "Give the data with --data."
        ) from error
    try:
        return function(**arguments)
    except (AttributeError, TypeError) as error:
        raise UserError(
            f"{source!r} cannot be read: {error}. Give the data with --data."
        ) from error


def _tuple(value):
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
