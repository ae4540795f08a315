"""Checkpoints that are whole or absent, and say so when they are not what was written.

A checkpoint is a folder `step-000001234` with

    arrays.npz      the arrays, by position
    state.json      their names, dtypes and shapes, and the caller's own state
    manifest.json   the size and the SHA-256 of the other two
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from tfrobust.errors import UserError
from tfrobust.runs import files

ARRAYS, STATE, MANIFEST = "arrays.npz", "state.json", "manifest.json"
FORMAT = 1
_NAME = re.compile(r"step-(\d{9,})")


class CorruptCheckpoint(Exception):
    """A checkpoint is not what was written: the message says which and how."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What `load` returns.

    Args:
        step: training steps done.
        arrays: name -> numpy array, in the order in which they were saved.
        state: the caller's JSON values.
        path: its folder.
    """

    step: int
    arrays: dict
    state: dict
    path: pathlib.Path


def save(
    folder: str | os.PathLike, step: int, arrays: Mapping[str, Any], state: Any, keep: int = 2
) -> pathlib.Path:
    """Saves a checkpoint, whole or not at all, then removes those that are no longer needed.

    Those are all but the `keep` newest, and any of a later step: a run that went back to an earlier
    checkpoint writes its future again.

    Args:
        folder: holds the checkpoints of one run, and nothing else; made if absent.
        step: training steps done, at least 0; a checkpoint of the same step is replaced.
        arrays: name -> array of numbers, of any dtype that numpy or ml_dtypes knows.
        state: JSON values; numpy scalars are taken as numbers, tuples come back as lists.
        keep: how many checkpoints stay, at least 1.

    Returns:
        The checkpoint's folder.
    """
    if step < 0 or keep < 1:
        raise ValueError(f"Expected step >= 0 and keep >= 1; received {step} and {keep}.")
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        # kind V with isbuiltin 2: a number of ml_dtypes, such as bfloat16.
        if array.dtype.kind not in "biufc" and array.dtype.isbuiltin != 2:
            raise TypeError(f"A checkpoint holds numbers; the array {name} is of {array.dtype}.")
    described = [
        {"name": name, "dtype": array.dtype.name, "shape": array.shape}
        for name, array in arrays.items()
    ]
    text = json.dumps({"arrays": described, "state": state}, default=_number, indent=1)
    path = _path(folder, step)
    if os.path.lexists(path) and step not in _ours(folder):
        raise UserError(f"{path} is no checkpoint: move it away, or choose another folder.")
    with files.write_folder(path) as unfinished:
        numbered = {f"{i:06d}": array for i, array in enumerate(arrays.values())}
        np.savez(unfinished / ARRAYS, **numbered)
        (unfinished / STATE).write_text(text, encoding="utf-8")
        manifest: dict[str, Any] = {"format": FORMAT, "step": step, "files": {}}
        for name in (ARRAYS, STATE):
            manifest["files"][name] = _fingerprint(unfinished / name)
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    done = _ours(folder)
    earlier = [s for s in done if s <= step]
    for s in earlier[:-keep] + [s for s in done if s > step]:
        files.remove_folder(_path(folder, s))
    return path


def list_steps(folder: str | os.PathLike) -> list[int]:
    """The steps that `folder` has checkpoints of, valid or not, ascending."""
    folder = pathlib.Path(folder)
    paths = [p for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []
    matches = [_NAME.fullmatch(path.name) for path in paths]
    return sorted(int(match[1]) for match in matches if match)


def _ours(folder):
    """The steps whose folders hold nothing but what checkpoints are made of."""
    content = {ARRAYS, STATE, MANIFEST}
    return [s for s in list_steps(folder) if set(os.listdir(_path(folder, s))) <= content]


def _path(folder, step):
    return pathlib.Path(folder, f"step-{step:09d}")


def load(folder: str | os.PathLike, step: int) -> Checkpoint:
    """Loads one checkpoint after comparing every file with the manifest.

    Args:
        folder: holds the checkpoints of one run.
        step: one of `steps(folder)`.

    Returns:
        The `Checkpoint`.

    Raises:
        CorruptCheckpoint: a file is missing, of another size, of other content or not readable.
    """
    path = _path(folder, step)
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise CorruptCheckpoint(
                f"{path}: its format is {manifest['format']}, this tfrobust reads {FORMAT}"
            )
        for name in (ARRAYS, STATE):
            expected, found = manifest["files"][name], _fingerprint(path / name)
            if found["bytes"] != expected["bytes"]:
                raise CorruptCheckpoint(
                    f"{path / name}: {found['bytes']} bytes where {expected['bytes']} were written"
                )
            if found != expected:
                raise CorruptCheckpoint(f"{path / name}: its SHA-256 is not the manifest's")
        stored = json.loads((path / STATE).read_text(encoding="utf-8"))
        arrays = {}
        with np.load(path / ARRAYS, allow_pickle=False) as numbered:
            for i, one in enumerate(stored["arrays"]):
                array = numbered[f"{i:06d}"]
                # numpy writes a dtype that is not its own as nameless bytes.
                foreign = array.dtype.kind == "V"
                arrays[one["name"]] = array.view(_dtype(one["dtype"])) if foreign else array
        return Checkpoint(step, arrays, stored["state"], path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        what = f"{type(error).__name__}: {error}"
        raise CorruptCheckpoint(f"{path}: not readable ({what})") from error


def load_newest(folder: str | os.PathLike) -> tuple[Checkpoint | None, list[str]]:
    """Loads the newest checkpoint that is what was written, after clearing what killed saves left.

    Args:
        folder: holds the checkpoints of one run; may be absent.

    Returns:
        `(checkpoint, skipped)`: the `Checkpoint`, or None if there is none, and one line for each
        newer one that had to be skipped, for the caller to print.
    """
    files.recover_folder(folder)
    skipped: list[str] = []
    for step in reversed(list_steps(folder)):
        try:
            return load(folder, step), skipped
        except CorruptCheckpoint as error:
            skipped.append(str(error))
    return None, skipped


def _dtype(name):
    return np.dtype(getattr(ml_dtypes, name, name))


def _number(value):
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"A checkpoint's state holds JSON values; received {type(value).__name__}.")


def _fingerprint(path):
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
