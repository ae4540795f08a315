"""What a table of methods is computed of, small enough to stay where its runs cannot."""

import json
import os
import pathlib

from tfrobust.errors import UserError
from tfrobust.runs import files, kinds


def keep_run(folder: str | os.PathLike, target: str | os.PathLike, suite: str) -> None:
    """Copies what the row of a judged run is computed of: run.json, report.json and the suite's verdicts.

    Of the run's starts commands, times and machines are left out.

    Args:
        folder: of a run that `compare.judge_run` has judged.
        target: folder for the three files, new or with such files of before.
        suite: name of the suite that it was judged by.

    Raises:
        UserError: there is anything else in `target`.
    """
    folder, target = pathlib.Path(folder), pathlib.Path(target)
    check_target(target, suite)
    run = kinds.RUN.read(folder)
    if run is None:
        raise UserError(f"{folder} has no run.json of a run. Train it again, or leave it out.")
    run["starts"] = [{k: s[k] for k in ("versions", "commit") if k in s} for s in run["starts"]]
    more = {
        name: json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("report.json", f"{suite}.json")
    }
    target.mkdir(parents=True, exist_ok=True)
    for name, content in {kinds.RUN.marker: run, **more}.items():
        files.write_json(target / name, content)


def check_target(target: str | os.PathLike, suite: str) -> None:
    """Raises `UserError` for a folder with more than what `keep_run` writes: no run is written over."""
    ours = {kinds.RUN.marker, "report.json", f"{suite}.json"}
    found = sorted(set(files.list_visible(target)) - ours)
    if found:
        raise UserError(
            f"{target} is not for what is kept of a run: it has {', '.join(found[:3])}. Choose another "
            "folder for --keep, new or empty."
        )
