"""The numbers of every epoch of a run, read and checked."""

import json
import os
import pathlib
from typing import Any

from tfrobust.errors import UserError


def read_metrics(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """Reads the `metrics.jsonl` of a run: for each epoch a dict of "epoch", from 0, and numbers.

    Raises:
        UserError: it is missing or cannot be read.
    """
    path = pathlib.Path(folder, "metrics.jsonl")
    if not path.is_file():
        raise UserError(
            f"{folder} contains no metrics.jsonl: give the folder of a run that has started."
        )
    rows: list[dict[str, Any]] = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            _check(row)
            rows.append(row)
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise UserError(
            f"Line {len(rows) + 1} of {path} is not a JSON object with an epoch and numbers: remove it, or "
            "leave the run out."
        ) from error
    return rows


def _check(row):
    for value in (row["epoch"] + 1, *row.values()):
        if value is not None and not isinstance(value, (int, float)):
            raise TypeError("metrics must be numbers")
