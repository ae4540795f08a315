"""What the runs of a sweep came to, read from their reports."""

import dataclasses
import pathlib
import statistics
from collections.abc import Sequence

from tfrobust.runs import files
from tfrobust.runs.reports.run_report import read_run_report
from tfrobust.sweeps.grid import Point, shorten

MEASURES = ("clean", "robust", "suite")
_REPORT, _SCHEMA = "report.json", 1


@dataclasses.dataclass(frozen=True)
class Result:
    """One run.

    Args:
        point: its `Point`.
        accuracies: from "clean", "robust" (under the gin file's test attack) and "suite" (under the suite of
            the sweep) to numbers in [0, 1]; what was not measured is not in it.
        seconds: of training; None if it has not ended.
        threat_model, method: for headings; None if it has not ended.
    """

    point: Point
    accuracies: dict[str, float]
    seconds: float | None = None
    threat_model: str | None = None
    method: str | None = None


@dataclasses.dataclass(frozen=True)
class Group:
    """The runs of a sweep that differ by their seed only.

    Args:
        values: pairs of short name and value.
        results: `Result`s, one for each seed.
    """

    values: tuple[tuple[str, str], ...]
    results: tuple[Result, ...]

    def numbers(self, measure: str) -> list[float]:
        """The accuracies of the runs that have one."""
        return [r.accuracies[measure] for r in self.results if measure in r.accuracies]

    def mean(self, measure: str) -> float | None:
        """Over seeds; None if no run has it."""
        found = self.numbers(measure)
        return statistics.fmean(found) if found else None

    def deviation(self, measure: str) -> float | None:
        """Sample standard deviation over seeds; None for fewer than two."""
        found = self.numbers(measure)
        return statistics.stdev(found) if len(found) > 1 else None


def read_result(path: pathlib.Path, point: Point, suite: str | None) -> Result:
    """Reads what the run of a point left in its folder.

    Raises:
        UserError: a report cannot be read.
    """
    accuracies: dict[str, float] = {}
    report = read_run_report(path) if (path / _REPORT).is_file() else None
    if report is not None:
        accuracies |= {"clean": report.clean, "robust": report.robust}
    judged = find_evaluation(path, suite)
    if judged is not None:
        found = files.read_json(judged / _REPORT, "tfrobust", _SCHEMA)["tfrobust"]
        accuracies["suite"] = found["robust"]["accuracy"]
    if report is None:
        return Result(point, accuracies)
    return Result(point, accuracies, report.seconds, report.threat_model, report.method)


def find_evaluation(run: pathlib.Path, suite: str | None) -> pathlib.Path | None:
    """The folder of a finished evaluation of a run; None if there is none."""
    if suite is None:
        return None
    path = evaluation_folder(run, suite)
    return path if (path / _REPORT).is_file() else None


def evaluation_folder(run: pathlib.Path, suite: str) -> pathlib.Path:
    """Where a sweep evaluates its runs."""
    return run / "evaluation" / suite


def group_results(results: Sequence[Result]) -> list[Group]:
    """Groups results that differ by their seed only, in the order of the first of each."""
    groups: dict[tuple, list[Result]] = {}
    for result in results:
        groups.setdefault(tuple(shorten(result.point.values)), []).append(result)
    return [Group(values, tuple(found)) for values, found in groups.items()]
