"""What kinds of folders there are, and by which file each is known to be ours.

A folder is written only if it is new, empty or of the kind that is written, so that nothing of anybody
else's is ever lost. What begins with a dot does not count: nothing here has such a name but a lock and
what is unfinished.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import files


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of folder.

    Args:
        name: with its article, for messages.
        marker: the file by which it is known, JSON.
        is_ours: function of the marker's content, a dict, that says whether we wrote it.
        former: another such pair (marker, function), of folders that earlier versions wrote.
        begun: tuples of names; a folder with just these is what a start of an earlier version left when
            it was killed, and counts as empty.
    """

    name: str
    marker: str
    is_ours: Callable
    former: tuple | None = None
    begun: tuple = ()

    def read(self, folder: str | os.PathLike) -> dict[str, Any] | None:
        """The content of the marker in a folder of this kind; None if the folder is of no such kind."""
        for marker, is_ours in filter(None, ((self.marker, self.is_ours), self.former)):
            try:
                content = json.loads(pathlib.Path(folder, marker).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(content, dict) and is_ours(content):
                return content
        return None


RUN = Kind(
    "a run",
    "run.json",
    lambda c: isinstance(c.get("starts"), list) and "seed" in c,
    begun=(("config_used.gin",), ("config.gin", "config_used.gin")),
)
EVALUATION = Kind(
    "an evaluation",
    "evaluation.json",
    lambda c: isinstance(c.get("fingerprint"), dict),
    # The report of a run has no such part.
    ("report.json", lambda c: isinstance(c.get("tfrobust"), dict) and "schema" in c["tfrobust"]),
    begun=(("state",),),
)
EXPORT = Kind("an export", "export.json", lambda c: {"num_classes", "image_shape"} <= c.keys())
SWEEP = Kind("a sweep", "sweep.json", lambda c: isinstance(c.get("sweep"), dict) and "points" in c)
CERTIFICATION = Kind(
    "a certification", "certification.json", lambda c: isinstance(c.get("proofs_of"), dict)
)
KINDS = (RUN, EVALUATION, EXPORT, SWEEP, CERTIFICATION)
RESUME = ("auto", "never", "must")


def find_kind(folder: str | os.PathLike) -> Kind | None:
    """The `Kind` of a folder, None if it is not one of tfrobust's."""
    return next((kind for kind in KINDS if kind.read(folder) is not None), None)


def check_ours(folder: str | os.PathLike, kind: Kind) -> bool:
    """Refuses a folder that `kind` must not be written into.

    Args:
        folder: path.
        kind: one of `KINDS`.

    Returns:
        Whether it is of that kind already, not only new or empty.

    Raises:
        UserError: it is a file, of another kind, or holds anything that is not ours.
    """
    folder = pathlib.Path(folder)
    if folder.is_symlink() and not folder.exists():
        raise UserError(f"{folder} is a link to nothing. Choose another folder.")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file. Give a folder for {kind.name}, new or empty.")
    found = find_kind(folder)
    if found is kind:
        return True
    names = files.list_visible(folder)
    if found is not None:
        raise UserError(
            f"{folder} holds {found.name}, and {kind.name} is never written into it. Choose another "
            "folder, new or empty."
        )
    if names and tuple(names) not in kind.begun:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise UserError(
            f"{folder} is not empty and holds no {kind.name.split()[1]} of tfrobust: it has {shown}. "
            "Choose another folder, new or empty; nothing in it was touched."
        )
    return False


def check_resume(folder: str | os.PathLike, kind: Kind, resume: str) -> bool:
    """As `check_ours`; also refuses what `resume` does not allow.

    Args:
        folder: path.
        kind: one of `KINDS`.
        resume: "auto" goes on with what is there, "never" refuses a folder with something, "must" one
            without.
    """
    if resume not in RESUME:
        raise UserError(f"`resume` must be one of {RESUME}. Received: resume={resume!r}.")
    there = check_ours(folder, kind)
    if there and resume == "never":
        raise UserError(
            f"{folder} holds {kind.name} already. Choose another --workdir, or --resume=auto to go on."
        )
    if not there and resume == "must":
        raise UserError(
            f"There is no {kind.name.split()[1]} in {folder} to resume. Give its folder as --workdir, or "
            "--resume=auto."
        )
    return there


@contextlib.contextmanager
def claim_folder(folder: str | os.PathLike, kind: Kind) -> Iterator[bool]:
    """Makes a folder for `kind`, or goes on with one, and keeps other processes out of it meanwhile.

    Yields:
        Whether it is of that kind already, as `check_ours` says under the lock.

    Raises:
        UserError: as `check_ours`; or another process is in the folder.
    """
    folder = pathlib.Path(folder)
    check_ours(folder, kind)
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock_folder(folder):
        files.recover_folder(folder)
        yield check_ours(folder, kind)


def is_claimed(folder: str | os.PathLike) -> bool:
    """Whether another process is in a folder that `claim_folder` has made; nothing is written."""
    import filelock

    path = pathlib.Path(folder, files.LOCK)
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with filelock.FileLock(path, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        # Not writable, which whoever claims it says.
        return False
