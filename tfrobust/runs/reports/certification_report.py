"""The folder of a certification, read and checked."""

import csv
import dataclasses
import math
import os
import pathlib
from typing import Any

import numpy as np

from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.runs.reports.identity import Identity

SCHEMA = 1
TABLE, REPORT = "certified.csv", "report.json"


@dataclasses.dataclass(frozen=True, eq=False)
class CertificationReport:
    """What a finished certification proved.

    Args:
        content: the part "certification" of its `report.json`.
        suite_hash: of the settings of its certificates; "" where it is not known.
        ids: int (n,), of the examples.
        labels: int (n,).
        predictions: int (n,), -1 for an abstention.
        radii: float64 (n,): proven radii, 0 where nothing is proven.
        images: text (n,): hashes of the images; "" in folders of earlier versions.
        rules: of the proofs, with their version, such as "bounds 1"; "" in folders of earlier versions.

    Example:
    >>> from tfrobust.runs.reports.certification_report import CertificationReport
    >>> label, right = np.array([4, 2, 2]), np.array([4, 2, 1])
    >>> radii, images = np.array([0.1, 0.3, 0.0]), np.array(["a", "b", "c"])
    >>> report = CertificationReport({}, "", np.arange(3), label, right, radii, images)
    >>> report.clean.tolist(), round(report.compute_accuracy(0.2), 4)
    ([True, True, False], 0.3333)
    """

    content: dict[str, Any]
    suite_hash: str
    ids: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    radii: np.ndarray
    images: np.ndarray
    rules: str = ""

    @property
    def clean(self) -> np.ndarray:
        """Boolean (n,): right at the clean image."""
        return self.predictions == self.labels

    @property
    def norm(self) -> str:
        """Of the radii: "Linf" or "L2"."""
        return self.content["norm"]

    @property
    def identity(self) -> Identity:
        """Of the classifier."""
        return Identity.find(self.content) or Identity("")

    @property
    def is_certain(self) -> bool:
        """Whether they are proofs of the classifier itself, not of a smoothed one."""
        return self.content["certain"]

    @property
    def method(self) -> str:
        """Names of the certificates, such as "IBP, CROWNIBP, CROWN"."""
        names = [one["certificate"].partition("(")[0] for one in self.content["certificates"]]
        return ", ".join(dict.fromkeys(names))

    @property
    def seconds(self) -> float:
        """Wall time that the proofs took."""
        return self.content["seconds"]

    @property
    def reach(self) -> float:
        """The largest radius that the certificates looked for; infinite where they know no limit."""
        reach = self.content.get("reach")
        return math.inf if reach is None else reach

    def find_certified(self, radius: float) -> np.ndarray:
        """Boolean (n,): right, and proven to stay so within a radius above 0."""
        return self.clean & (self.radii >= radius) & (self.radii > 0.0)

    def count_certified(self, radius: float) -> int:
        """How many examples are."""
        return int(np.sum(self.find_certified(radius)))

    def compute_accuracy(self, radius: float) -> float:
        """Certified accuracy at a radius above 0, in [0, 1]."""
        return self.count_certified(radius) / len(self.ids)


def read_certification(folder: str | os.PathLike) -> CertificationReport:
    """Reads what a certification left in its folder.

    Raises:
        UserError: the folder holds no finished certification.
    """
    folder = pathlib.Path(folder)
    if not all((folder / name).is_file() for name in (TABLE, REPORT)):
        raise UserError(
            f"There is no finished certification in {folder}. Make one first: tfrobust certify "
            f"--model=... --workdir={folder}"
        )
    content = files.read_json(folder / REPORT, "certification", SCHEMA)["certification"]
    with open(folder / TABLE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    marker = kinds.CERTIFICATION.read(folder) or {}
    return CertificationReport(
        content=content,
        suite_hash=marker.get("proofs_of", {}).get("suite", ""),
        rules=marker.get("proofs_of", {}).get("rules", ""),
        ids=np.array([int(row["id"]) for row in rows]),
        labels=np.array([int(row["label"]) for row in rows]),
        predictions=np.array([int(row["prediction"]) for row in rows]),
        radii=np.array([float(row["radius"]) for row in rows]),
        images=np.array([row.get("image", "") for row in rows]),
    )
