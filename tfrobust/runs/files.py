"""Files and folders that appear whole or not at all, whenever the process is killed.

What is being written has a hidden name that nobody can foretell; a rename, which the file system does
at once or not at all, gives it its own. One process writes in a folder at a time.
"""

import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from typing import Any

from tfrobust.errors import UserError

UNFINISHED = "new"  # being written
REPLACED = "old"  # stepped aside for a new one of the same name
DISCARDED = "gone"  # being removed
LOCK = ".lock"
# .NAME.16 random digits.tfrobust-new: a name that only this module makes.
_OURS = re.compile(
    rf"\.(?P<name>.+)\.[0-9a-f]{{16}}\.tfrobust-(?P<state>{UNFINISHED}|{REPLACED}|{DISCARDED})"
)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` to `path` whole: a reader sees the former content or all of the new one.

    Args:
        path: the file; its folder exists. A symbolic link is followed once, to the file that it names.
        text: written as UTF-8.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes bytes to `path`, whole (see `write_text`)."""
    path = pathlib.Path(os.path.realpath(path))
    unfinished = _beside(path, UNFINISHED)
    # Never through a link that somebody has put there.
    descriptor = os.open(
        unfinished,
        os.O_WRONLY
        | os.O_CREAT
        | os.O_EXCL
        | getattr(os, "O_NOFOLLOW", 0)
        | getattr(os, "O_BINARY", 0),
        0o666,
    )
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(unfinished, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, whole (see `write_text`)."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: str | os.PathLike, block: str, newest: int) -> dict[str, Any]:
    """Reads a JSON file of this package, if it is one and not of a newer version.

    Args:
        path: the file.
        block: name of the object in it that holds our own values, among them "schema", a number.
        newest: the largest schema number that the caller understands.

    Returns:
        The whole content, a dict.

    Raises:
        UserError: there is no such file, it is not one of tfrobust's, or a newer version wrote it.
    """
    path = pathlib.Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content[block]["schema"]
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}. Give a file that exists."
        ) from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(
            f"{path} is not a report: it is not JSON, or has no {block!r} with a schema number. Give the "
            "report.json of an evaluation."
        ) from error
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise UserError(
            f"{path} is not a report: its schema is {schema!r}, not a whole number of at least 1."
        )
    if schema > newest:
        raise UserError(
            f"{path} has schema {schema}, this version reads up to {newest}. Install a newer tfrobust, or "
            "the one that the file names under versions."
        )
    return content


@contextlib.contextmanager
def write_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields an empty folder to write into, which becomes `path` when the block ends well.

    What stood at `path` is replaced; if the process is killed in the instant between, `recover_folder` brings
    it back. An error in the block leaves everything as it was. Whether it may be replaced at all is for
    the caller to know, see `kinds`.

    Args:
        path: the folder to make; its parents are made too.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    recover_folder(path.parent, path.name)
    unfinished = _beside(path, UNFINISHED)
    unfinished.mkdir()
    try:
        yield unfinished
        for folder, _, names in os.walk(unfinished):
            for name in names:
                sync(pathlib.Path(folder, name))
            sync(folder)
    except Exception:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    replaced = _beside(path, REPLACED)
    if os.path.lexists(path):
        os.rename(path, replaced)
    os.rename(unfinished, path)
    sync(path.parent)
    if os.path.lexists(replaced):
        _remove(replaced)


def remove_folder(path: str | os.PathLike) -> None:
    """Removes a folder; killed on the way, it leaves nothing that looks like the folder."""
    path = pathlib.Path(path)
    recover_folder(path.parent, path.name)
    discarded = _beside(path, DISCARDED)
    os.rename(path, discarded)
    _remove(discarded)


def recover_folder(folder: str | os.PathLike, name: str | None = None) -> None:
    """Clears what killed processes left in `folder`, and puts back a folder that had stepped aside.

    Only names that this module makes are touched.

    Args:
        folder: where to look; need not exist.
        name: the one file or folder whose leftovers are meant; all if None.
    """
    folder = pathlib.Path(folder)
    found = [(leftover, _OURS.fullmatch(leftover.name)) for leftover in _entries(folder)]
    for state in (UNFINISHED, DISCARDED, REPLACED):
        for leftover, match in found:
            if match is None or match["state"] != state or name not in (None, match["name"]):
                continue
            original = folder / match["name"]
            if state == REPLACED and not os.path.lexists(original):
                os.rename(leftover, original)
            else:
                _remove(leftover)


def list_visible(folder: str | os.PathLike) -> list[str]:
    """Sorted names of what a folder holds, without hidden ones, ours among them."""
    return [path.name for path in _entries(pathlib.Path(folder)) if path.name[0] != "."]


@contextlib.contextmanager
def lock_folder(folder: str | os.PathLike) -> Iterator[None]:
    """Keeps other processes that ask for it out of an existing folder, within the block.

    Raises:
        UserError: another process is in it, or its lock is not a file that a lock can be.
    """
    import filelock  # what only looks needs none

    path = pathlib.Path(folder, LOCK)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UserError(
            f"{path} is not a plain file of its own, and a lock is never taken through a link. Remove it, or "
            "choose another folder."
        )
    # The system lets go of the lock when the process ends, however it ends.
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise UserError(
            f"Another process is running in {folder}. Wait for it, or choose another --workdir."
        ) from error
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror or error}. Choose another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def sync(path: str | os.PathLike) -> None:
    """Waits until a file, or the list of names in a folder, is on the disk."""
    if os.name == "nt" and os.path.isdir(path):
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path, state):
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tfrobust-{state}")


def _entries(folder):
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
