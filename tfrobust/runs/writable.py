"""Whether something can be written at a place, found out without writing."""

import errno
import os
import pathlib
import shutil

from tfrobust.errors import UserError

LEAST_FREE = 2**20
"""Bytes below which a disk counts as full."""


def check_writable(folder: str | os.PathLike, name: str = "--workdir") -> None:
    """Raises `UserError` if files cannot be made in a folder, which need not exist; writes nothing.

    Args:
        folder: where something is to be written.
        name: what the user calls it.
    """
    there = pathlib.Path(os.path.abspath(folder))
    try:
        while not _exists(there):
            there = there.parent
        if not there.is_dir():
            raise UserError(
                f"{folder} cannot be made, since {there} is not a folder. Choose another {name}."
            )
        if not os.access(there, os.W_OK | os.X_OK) or _read_only(there):
            raise UserError(
                f"{folder} cannot be written: {there} is read-only for this user. Choose another {name}."
            )
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise UserError(
            f"{str(folder)[:100]} cannot be written: {error.strerror}. Choose another {name}."
        ) from error
    if free < LEAST_FREE:
        raise UserError(
            f"{folder} cannot be written: its disk has {free} bytes left. Free some space, or choose another "
            f"{name}."
        )


def _exists(path):
    # Not Path.exists, which takes a name that is too long for one that is not there.
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
        return False
    return True


def _read_only(folder):
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
