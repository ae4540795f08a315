"""Evaluations for figures: folders of them, or runs that were evaluated once."""

import os
import pathlib
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import kinds
from tfrobust.runs.reports.evaluation_report import REPORT, read_evaluation_report


def choose_evaluation(path: str | os.PathLike) -> pathlib.Path:
    """The folder itself, or the only evaluation of a run.

    Raises:
        UserError: the run has no evaluation, or several.
    """
    folder = pathlib.Path(path)
    if kinds.RUN.read(folder) is None:
        return folder
    found = sorted(report.parent for report in folder.glob("evaluation/*/report.json"))
    if len(found) == 1:
        return found[0]
    if found:
        told = ", ".join(map(str, found))
        raise UserError(f"The run {path} was evaluated several times. Give one of {told}.")
    raise UserError(
        f"The run {path} has no evaluation: tfrobust evaluate --model={path} makes one. Or leave it out."
    )


def read_chosen_report(path: str | os.PathLike) -> dict[str, Any]:
    """The numbers of the evaluation in a folder, or of the only one of a run.

    Raises:
        UserError: there is none, or several.
    """
    folder = choose_evaluation(path)
    if not (folder / REPORT).is_file():
        raise UserError(
            f"There is no evaluation in {path}. Give a folder that tfrobust evaluate wrote, or a run."
        )
    return read_evaluation_report(folder)
