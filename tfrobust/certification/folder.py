"""The folder of a certification: its lock, its marker and its default name."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence

from tfrobust.errors import UserError
from tfrobust.evaluation import folder as evaluation_folder
from tfrobust.evaluation.engine.journal import check_same
from tfrobust.runs import files, kinds


def check_shards(folder: str | os.PathLike, merge: Sequence[str | os.PathLike]) -> None:
    """Raises `UserError` if a folder is to be written that is one of those to be merged."""
    if any(os.path.realpath(part) == os.path.realpath(folder) for part in merge):
        raise UserError(
            f"{folder} is the folder of a shard, whose report would be replaced. Choose another --workdir "
            "for the report of all."
        )


def choose_folder(
    model: str | os.PathLike, run_folder: str | os.PathLike | None, suite: str, shard: str = ""
) -> pathlib.Path:
    """The default folder of a certification, beside those of evaluations.

    Args:
        model: path of what is certified.
        run_folder: of the run that it belongs to, or None.
        suite: name of the suite.
        shard: ending of the name for one of several shards.

    Example:
    >>> from tfrobust.certification.folder import choose_folder
    >>> choose_folder("run/export", "run", "bounds").as_posix()
    'run/certification/bounds'
    """
    beside = evaluation_folder.choose_folder(model, run_folder, suite, shard)
    return beside.parent.with_name("certification") / beside.name if run_folder else beside


@contextlib.contextmanager
def claim_folder(
    folder: str | os.PathLike | None, fingerprint: dict, resume: str
) -> Iterator[None]:
    """Makes the folder, or takes the one that is there, and keeps other processes out of it meanwhile.

    Args:
        folder: path, or None for no folder.
        fingerprint: dict of JSON values that names the certification.
        resume: see `certify`.

    Raises:
        UserError: another process is in the folder, or it holds something else.
    """
    if folder is None:
        yield
        return
    with kinds.claim_folder(folder, kinds.CERTIFICATION):
        kinds.check_resume(folder, kinds.CERTIFICATION, resume)
        former = (kinds.CERTIFICATION.read(folder) or {}).get("proofs_of")
        if former is not None:
            check_same(pathlib.Path(folder), former, fingerprint)
        marker = pathlib.Path(folder, kinds.CERTIFICATION.marker)
        files.write_json(marker, {"proofs_of": fingerprint})
        yield
