"""The files of an evaluation from which its page and pictures are made."""

import csv
import dataclasses
import math
import os
import pathlib

import numpy as np

from tfrobust.errors import UserError
from tfrobust.runs import files

SCHEMA = 1


@dataclasses.dataclass(frozen=True, eq=False)
class ReportFiles:
    """The files of an evaluation.

    Args:
        content: of `report.json`.
        rows: of `examples.csv`, a list of dicts of strings.
        samples: arrays of `samples.npz`, or None where there is none.
    """

    content: dict
    rows: list
    samples: dict | None

    @staticmethod
    def read(folder: str | os.PathLike) -> "ReportFiles":
        """Reads the files in the folder of an evaluation.

        Raises:
            UserError: the folder holds no report, or one of a newer version.
        """
        folder = pathlib.Path(folder)
        content = files.read_json(folder / "report.json", "tfrobust", SCHEMA)
        try:
            with open(folder / "examples.csv", encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except OSError as error:
            raise UserError(
                f"{folder} holds no examples.csv beside its report.json. Run the same evaluation "
                "again; it continues and writes its reports."
            ) from error
        samples = folder / "samples.npz"
        if not samples.exists():
            return ReportFiles(content, rows, None)
        with np.load(samples, allow_pickle=False) as arrays:
            return ReportFiles(content, rows, dict(arrays))

    @property
    def ours(self) -> dict:
        """The part of `report.json` with tfrobust's own keys."""
        return self.content["tfrobust"]

    def proven(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns whether each example is right, boolean (n,), and its certified radius, float (n,), or None.

        None is for evaluations without certificates; a radius is NaN where none was asked.
        """
        if self.ours.get("certified") is None:
            return None
        radii = [float(row["certified_radius"] or math.nan) for row in self.rows]
        return np.array([row["clean_right"] == "true" for row in self.rows]), np.array(radii)

    def distances(self) -> np.ndarray:
        """Returns the smallest distance of each example that has one, float (m,)."""
        values = [float(row["distance"]) for row in self.rows if row["distance"]]
        return np.array([value for value in values if math.isfinite(value)])
