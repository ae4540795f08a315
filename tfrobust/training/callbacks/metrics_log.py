"""`metrics.csv` and `metrics.jsonl`: one row for each epoch."""

import csv
import io
import json
import os
import pathlib
from typing import Any

import numpy as np

from tfrobust.errors import UserError
from tfrobust.runs import files


class MetricsLog:
    """Writes the numbers of each epoch to `metrics.jsonl` and `metrics.csv`, whole at any instant.

    A run that resumes at an epoch writes its row, and those after it, again: `first_epoch` drops them.

    Args:
        folder: the run's folder; made if absent.
        first_epoch: rows of this epoch and later ones are dropped from what is already there.

    Attributes:
        lost: epochs before `first_epoch` without a row, as when the file was removed.
        dropped: how many rows were dropped.

    Raises:
        UserError: `metrics.jsonl` is not what this class writes.
    """

    def __init__(self, folder: str | os.PathLike, first_epoch: int = 0) -> None:
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = self._read()
        self.rows = [row for row in rows if row["epoch"] < first_epoch]
        self.dropped = len(rows) - len(self.rows)
        self.lost = sorted(set(range(first_epoch)) - {row["epoch"] for row in self.rows})
        self._write()

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row.

        Args:
            row: name -> number, text or None, with the integer "epoch", greater than the last one's. A
                column that is new stays empty in the rows before.
        """
        row = {"epoch": row["epoch"]} | {name: _plain(value) for name, value in row.items()}
        if self.rows and row["epoch"] <= self.rows[-1]["epoch"]:
            raise ValueError(f"The row of epoch {row['epoch']} follows {self.rows[-1]['epoch']}.")
        self.rows.append(row)
        self._write()

    def _read(self):
        path = self.folder / "metrics.jsonl"
        rows = []
        # Bytes that are not UTF-8 become a line that is not a row.
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for n, line in enumerate(text.splitlines(), 1):
            try:
                rows.append(json.loads(line))
                rows[-1]["epoch"] + 0
            except (ValueError, TypeError, KeyError) as error:
                raise UserError(
                    f"{path}, line {n}: not a row of metrics with an epoch. Move the file away."
                ) from error
        return rows

    def _write(self):
        # jsonl first: it is what is read again, and the other is made from it.
        lines = [json.dumps(row) + "\n" for row in self.rows]
        files.write_text(self.folder / "metrics.jsonl", "".join(lines))
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns or ["epoch"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        files.write_text(self.folder / "metrics.csv", text.getvalue())


def _plain(value):
    if value is None or isinstance(value, (str, list, tuple, dict)):
        return value
    return np.asarray(value).item()
