"""The folder of an export: which files are in it, which may be replaced, and in which order they come."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.runs.exported import list_versions
from tfrobust.runs.reports.identity import Identity
from tfrobust.serving.card.card import CARD, check_unedited, write_described

KERAS_FILE = "classifier.keras"
# What TensorFlow makes of a SavedModel.
_SAVED_MODEL = (
    "fingerprint.pb",
    "saved_model.pb",
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
)
# Earlier versions of tfrobust kept one SavedModel, in a folder of this name.
_FORMER = "saved_model"
# What `export.json` knows about a classifier, wherever it is exported.
_OF_CLASSIFIER = ("training", "license", "evaluations", "certifications", "conversions")
_FORMER_FILES = (KERAS_FILE, *(f"{_FORMER}/{name}" for name in _SAVED_MODEL))


def check_replaceable(folder: str | os.PathLike, version: int | None = None) -> None:
    """Refuses a folder in which an export would remove files that no export has written.

    Args:
        folder: path.
        version: number of the SavedModel to write; None for a new one.

    Raises:
        UserError: the folder is not that of an export, or it names the files that would be lost.
    """
    if not kinds.check_ours(folder, kinds.EXPORT):
        return
    check_unedited(folder, kinds.EXPORT.read(folder) or {})
    if _is_former(folder):
        content = kinds.EXPORT.read(folder) or {}
        ours = set(content.get("files", _FORMER_FILES)) | {kinds.EXPORT.marker, CARD}
        _refuse_others(folder, [name for name in _list_files(folder) if name not in ours])
    elif version is not None:
        ours = {f"{version}/{name}" for name in _SAVED_MODEL}
        inside = [f"{version}/{name}" for name in _list_files(pathlib.Path(folder, str(version)))]
        _refuse_others(folder, [name for name in inside if name not in ours])


def write(
    folder: pathlib.Path,
    version: int | None,
    write_version: Callable[[pathlib.Path], None],
    keras_file: bytes,
    description: dict[str, Any],
) -> None:
    """Writes an export: a new folder whole, into one that is there a version, and then the rest.

    A server that watches the folder, as through a mount, keeps it: only what is inside of it changes.

    Args:
        folder: new, empty, or of an export.
        version: number, or None for one more than the highest there is.
        write_version: function of a path that writes the SavedModel there.
        keras_file: content of the `.keras` file.
        description: content of `export.json`; the number of the version is added.

    Raises:
        UserError: as `check_replaceable`; or another process writes into the folder.
    """
    if kinds.EXPORT.read(folder) is None or _is_former(folder):
        with files.write_folder(folder) as unfinished:
            write_version(unfinished / str(version or 1))
            _write_rest(unfinished, keras_file, description | {"version": version or 1})
            check_replaceable(folder)
        return
    with files.lock_folder(folder):
        number = version or 1 + max(list_versions(folder), default=0)
        check_replaceable(folder, number)
        with files.write_folder(folder / str(number)) as unfinished:
            write_version(unfinished)
        _write_rest(folder, keras_file, description | {"version": number})


def _write_rest(folder, keras_file, description):
    files.write_bytes(folder / KERAS_FILE, keras_file)
    former = kinds.EXPORT.read(folder) or {}
    known = Identity.find(former)
    is_same = known is not None and known.is_same(Identity.read(description["identity"]))
    if is_same:
        # What was found out about this classifier holds for it still.
        kept = {name: former[name] for name in _OF_CLASSIFIER if former.get(name)}
        description |= {name: description.get(name) or value for name, value in kept.items()}
    write_described(folder, description)
    if not is_same:
        # Converted forms of another classifier would be taken for those of this one.
        for conversion in former.get("conversions", {}).values():
            (folder / pathlib.Path(conversion["file"]).name).unlink(missing_ok=True)


def _is_former(folder):
    return not list_versions(folder)


def _refuse_others(folder, others):
    if others:
        raise UserError(
            f"{folder} contains an export and other files: {', '.join(others[:3])}"
            f"{', ...' if len(others) > 3 else ''}. The export would remove them: move these files, or "
            "choose another folder."
        )


def _list_files(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in pathlib.Path(folder).rglob("*")
        if path.is_symlink() or not path.is_dir()
    )
