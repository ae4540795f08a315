"""Arrays of a figure that are kept, so that drawing again costs nothing."""

import io
import json
import os
import pathlib
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from tfrobust.runs import files

# Runs may have any name, that of the key and those of NumPy's own arguments too.
_KEY, _ARRAY = "key", "array "


def load_or_compute(
    path: str | os.PathLike,
    settings: dict[str, Any],
    compute: Callable[[], dict[str, np.ndarray]],
) -> tuple[dict[str, np.ndarray], bool]:
    """The arrays in a file if they were computed with the same settings; computes and writes them otherwise.

    Args:
        path: .npz file.
        settings: all that the arrays depend on, JSON values.
        compute: function without arguments that returns a dict of arrays.

    Returns:
        The dict, and whether it was in the file.
    """
    path, key = pathlib.Path(path), json.dumps(settings, sort_keys=True)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as content:
            if str(content[_KEY]) == key:
                names = [name for name in content.files if name.startswith(_ARRAY)]
                return {name.removeprefix(_ARRAY): content[name] for name in names}, True
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, or not ours any more: it is made anew
    arrays = compute()
    content = io.BytesIO()
    kept: dict[str, Any] = {_ARRAY + name: array for name, array in arrays.items()}
    kept[_KEY] = np.array(key)
    np.savez_compressed(content, **kept)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(path, content.getvalue())
    return arrays, False
