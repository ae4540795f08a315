"""The folder of an evaluation: whether it may be written into, its lock and its marker."""

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

from tfrobust.errors import UserError
from tfrobust.evaluation.engine.journal import check_same
from tfrobust.runs import files, kinds
from tfrobust.runs.writable import check_writable

Path = str | os.PathLike


def check_folder(folder: Path | None, resume: str = "auto", merge: Sequence[Path] = ()) -> None:
    """Refuses a folder that an evaluation must not be written into; writes nothing.

    Args:
        folder: path, or None for no folder.
        resume: "auto" continues an evaluation that is there, "never" refuses a folder with one, "must"
            one without.
        merge: folders of shards, none of which may be `folder`.

    Raises:
        UserError: the folder is a shard's, holds anything but an evaluation, or `resume` forbids it.

    Example:
    >>> from tfrobust.evaluation.folder import check_folder
    >>> check_folder("new")
    """
    if folder is None:
        return
    if any(os.path.realpath(part) == os.path.realpath(folder) for part in merge):
        raise UserError(
            f"{folder} is the folder of a shard, whose report would be replaced. Choose another --workdir "
            "for the report of all."
        )
    check_writable(folder)
    kinds.check_resume(folder, kinds.EVALUATION, resume)


@contextlib.contextmanager
def claim_folder(
    folder: Path | None, fingerprint: dict, resume: str = "auto", merge: Sequence[Path] = ()
) -> Iterator[Callable[[], None]]:
    """Makes the folder, or takes the one that is there, and keeps other processes out of it meanwhile.

    Args:
        folder, resume, merge: see `check_folder`, which is asked again under the lock.
        fingerprint: dict of JSON values that names the evaluation.

    Yields:
        A function without arguments that notes in the folder which evaluation it is for; call it when
        nothing can be refused any more.

    Raises:
        UserError: as `check_folder`, another process is in the folder, or it holds another evaluation.
    """
    if folder is None:
        yield lambda: None
        return
    check_folder(folder, resume, merge)
    with kinds.claim_folder(folder, kinds.EVALUATION):
        check_folder(folder, resume, merge)
        former = (kinds.EVALUATION.read(folder) or {}).get("fingerprint")
        if former is not None:
            check_same(folder, former, fingerprint)
        yield lambda: write_marker(folder, fingerprint)


def write_marker(folder: Path, fingerprint: dict) -> None:
    """Writes `evaluation.json`, which marks the folder of an evaluation."""
    files.write_json(pathlib.Path(folder, kinds.EVALUATION.marker), {"fingerprint": fingerprint})


def choose_folder(
    model: Path, run_folder: Path | None, suite: str, shard: str = ""
) -> pathlib.Path:
    """Returns the default folder of an evaluation: in the run's folder, or by the file and its content.

    Args:
        model: path of what is evaluated.
        run_folder: of the run that it belongs to, or None.
        suite: name of the suite.
        shard: ending of the name for one of several shards.

    Example:
    >>> from tfrobust.evaluation.folder import choose_folder
    >>> choose_folder("run/export", "run", "pgd_20").as_posix()
    'run/evaluation/pgd_20'
    """
    if run_folder is not None:
        return pathlib.Path(run_folder, "evaluation", f"{suite}{shard}")
    model = pathlib.Path(os.path.abspath(model))
    inner = sorted(path for path in model.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in [model] if model.is_file() else inner:
        digest.update(path.relative_to(model.parent).as_posix().encode())
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    name = f"{model.stem}-{digest.hexdigest()[:8]}"
    return pathlib.Path("runs", "evaluation", name, f"{suite}{shard}")
