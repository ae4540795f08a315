"""What a classifier on the disk says of the data that it was trained on."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import kinds
from tfrobust.runs.exported import Exported
from tfrobust.split_folders import find_split_folders, list_folders


@dataclasses.dataclass(frozen=True)
class Origin:
    """The data that a classifier was made for, as far as it is known.

    Args:
        image_shape: (height, width, channels), with None for sides of any size; or None.
        class_names: names of the classes in the order of the logits; None if they have numbers only.
        source: what read the training data, {"name": ..., "arguments": {...}}, or None.
    """

    image_shape: tuple[int | None, ...] | None = None
    class_names: tuple[str, ...] | None = None
    source: dict[str, Any] | None = None

    @property
    def path(self) -> str | None:
        """The file or folder that the training data were read from, or None."""
        return (self.source or {}).get("arguments", {}).get("path")

    def with_names(self, class_names: Sequence[str]) -> "Origin":
        """The same with other names of the classes; raises `UserError` if two are the same."""
        if len(set(class_names)) < len(class_names):
            raise UserError(f"Two classes have the same name. Received: {', '.join(class_names)}.")
        return dataclasses.replace(self, class_names=tuple(class_names))

    def is_source(self, path: str | os.PathLike) -> bool:
        """Whether the training data were read from this file or folder."""
        return self.path is not None and os.path.realpath(self.path) == os.path.realpath(path)


def read_origin(found: Exported) -> Origin:
    """Reads the records beside a classifier: of its export, and of its run."""
    # A SavedModel lies in a folder of the export, and that in the folder of the run.
    folders = [found.path, *list(found.path.absolute().parents)[:3]]
    exported = _read_first(kinds.EXPORT, folders[:2])
    run = _read_first(kinds.RUN, folders if found.run is None else [found.run]).get("data") or {}
    shape = exported.get("image_shape") or run.get("image_shape")
    names = exported.get("class_names") or run.get("class_names")
    return Origin(
        None if shape is None else tuple(shape), name_classes(names), run.get("source") or None
    )


def _read_first(kind: kinds.Kind, folders: Sequence[pathlib.Path]) -> dict[str, Any]:
    contents = (kind.read(folder) for folder in folders if folder.is_dir())
    return next(filter(None, contents), {})


def is_of_pictures(data: str | os.PathLike) -> bool:
    """Whether `data` is a CSV file's name or a folder of pictures, and not a name of TFDS.

    A plain name that TFDS has prepared is TFDS's; a folder of that name here is ./NAME.
    """
    if pathlib.Path(data).suffix == ".csv":
        return True
    home = os.environ.get("TFDS_DATA_DIR") or pathlib.Path.home() / "tensorflow_datasets"
    prepared = os.sep not in os.fspath(data) and pathlib.Path(home, data).is_dir()
    return os.path.isdir(data) and not prepared


def list_class_folders(folder: str | os.PathLike, split: str) -> list[str]:
    """The names of the class folders in a folder of pictures, or in its folder of a split if it has such."""
    path = pathlib.Path(folder)
    folders = find_split_folders(path) if path.is_dir() else {}
    root = folders.get(split) if folders else path
    return list_folders(root) if root is not None and root.is_dir() else []


def name_classes(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names of classes as a tuple; None where they are only the numbers 0, 1, ..."""
    if not names or list(names) == [str(number) for number in range(len(names))]:
        return None
    return tuple(names)


def match_classes(
    names: Sequence[str], known: Sequence[str] | None, where: str | os.PathLike
) -> list[int]:
    """The places among a classifier's logits of the classes of other data, found by name.

    Args:
        names: of the classes of the data.
        known: of the classifier's classes, in the order of its logits; None if they have no names.
        where: the data, for messages.

    Returns:
        A place for each of `names`.

    Raises:
        UserError: a class is none of the classifier's.

    Example:
        >>> match_classes(["dog", "cat"], ["ape", "cat", "dog"], "pets")
        [2, 1]
    """
    if known is None and all(name.isdecimal() for name in names):
        return [int(name) for name in names]
    if known is None:
        raise UserError(
            f"{where} has the classes {_list(names)}, and the classifier does not say the names of its own. "
            "Give them in the order of its logits: --class_names=cat,dog for example."
        )
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f"{where} has the class {unknown[0]!r}, and the classes of the classifier are {_list(known)}: "
            "they are matched by name. Rename it, or leave it out."
        )
    return [list(known).index(name) for name in names]


def _list(names):
    shown = ", ".join(names[:10])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 10 else shown
