"""Files and folders that appear whole or not at all, whenever the process is killed.

What is being written has a name with a leading dot; a rename, which the file system does at once or
not at all, gives it its own. One process writes in a folder at a time.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil

from tfrobust.errors import UserError

UNFINISHED = ".new"  # being written
REPLACED = ".old"  # stepped aside for a new one of the same name
DISCARDED = ".gone"  # being removed


def write_text(path, text):
    """Writes `text` to `path` whole: a reader sees the former content or all of the new one.

    Args:
        path: the file; its folder exists.
        text: written as UTF-8.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path, content):
    """Writes bytes to `path`, whole (see `write_text`)."""
    path = pathlib.Path(path)
    unfinished = _beside(path, UNFINISHED)
    with open(unfinished, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    sync(path.parent)


def write_json(path, value):
    """Writes `value` as indented JSON, whole (see `write_text`)."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path, block, newest):
    """Reads a JSON file of this package, if it is one and not of a newer version.

    Args:
        path: the file.
        block: name of the object in it that holds our own values, among them "schema", a number.
        newest: the largest schema number that the caller understands.

    Returns:
        The whole content, a dict.

    Raises:
        UserError: there is no such file, it is none of ours, or a newer version wrote it.
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
            f"{path} is no report: it is not JSON, or has no {block!r} with a schema number. Give the "
            "report.json of an evaluation."
        ) from error
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise UserError(
            f"{path} is no report: its schema is {schema!r}, not a whole number of at least 1."
        )
    if schema > newest:
        raise UserError(
            f"{path} has schema {schema}, this version reads up to {newest}. Install a newer tfrobust, or "
            "the one that the file names under versions."
        )
    return content


@contextlib.contextmanager
def whole_folder(path):
    """Yields an empty folder to write into, which becomes `path` when the block ends well.

    A folder that stood at `path` is replaced; if the process is killed in the instant between,
    `recover` brings it back. An error in the block leaves everything as it was.

    Args:
        path: the folder to make; its parents are made too.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path.parent, path.name)
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
    if path.exists():
        os.rename(path, replaced)
    os.rename(unfinished, path)
    sync(path.parent)
    if replaced.exists():
        _remove(replaced)


def remove_folder(path):
    """Removes a folder; killed on the way, it leaves nothing that looks like the folder."""
    path = pathlib.Path(path)
    recover(path.parent, path.name)
    discarded = _beside(path, DISCARDED)
    os.rename(path, discarded)
    _remove(discarded)


def recover(folder, name=None):
    """Clears what killed processes left in `folder`, and puts back a folder that had stepped aside.

    Args:
        folder: where to look; need not exist.
        name: the one folder whose leftovers are meant; all if None.
    """
    folder = pathlib.Path(folder)
    for suffix in (UNFINISHED, DISCARDED, REPLACED):
        for leftover in sorted(folder.iterdir()) if folder.is_dir() else ():
            original = leftover.with_name(leftover.name[1 : -len(suffix)] or "?")
            if leftover != _beside(original, suffix) or name not in (None, original.name):
                continue
            if suffix == REPLACED and not original.exists():
                os.rename(leftover, original)
            else:
                _remove(leftover)


@contextlib.contextmanager
def locked(folder):
    """Keeps other processes that ask for it out of an existing folder, within the block.

    Raises:
        UserError: another process is in it.
    """
    with open(pathlib.Path(folder, ".lock"), "w") as lock:
        try:
            # The system lets go of the lock when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(
                f"Another process is running in {folder}. Wait for it, or choose another --workdir."
            ) from error
        yield


def sync(path):
    """Waits until a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path, suffix):
    return path.with_name(f".{path.name}{suffix}")


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
