"""The report.json of an evaluation, read without what made it."""

import os
import pathlib
from typing import Any

from tfrobust.runs import files

REPORT = "report.json"
_SCHEMA = 1


def read_evaluation_report(folder: str | os.PathLike) -> dict[str, Any]:
    """Our own numbers of the evaluation in a folder: the block "tfrobust" of its report.json.

    Use it where TensorFlow is not wanted; `tfrobust.evaluation.read_report` gives the whole report.

    Raises:
        UserError: there is no report, or a newer version wrote it.
    """
    return files.read_json(pathlib.Path(folder, REPORT), "tfrobust", _SCHEMA)["tfrobust"]
