"""What the runs of a sweep came to, read from their reports."""

import dataclasses
import functools
import pathlib
import statistics
from collections.abc import Callable, Sequence

from tfrobust.comparison.compare import compare_methods, judge_method
from tfrobust.comparison.pairs import Comparison
from tfrobust.comparison.verdicts import Verdicts, read_evaluation, read_test
from tfrobust.runs.reports.evaluation_report import REPORT, read_evaluation_report
from tfrobust.runs.reports.run_report import read_run_report
from tfrobust.sweeps.grid import Point, shorten

MEASURES = ("clean", "robust", "suite")


@dataclasses.dataclass(frozen=True)
class Result:
    """One run.

    Args:
        point: its `Point`.
        accuracies: from "clean", "robust" (under the gin file's test attack) and "suite" (under the suite of
            the sweep) to numbers in [0, 1]; what was not measured is not in it.
        seconds: of training; None if it has not ended.
        seed: of the run, as its report has it; None if it has not ended.
        threat_model, method: for headings; None if it has not ended.
        verdicts: a function that reads the `Verdicts` behind the accuracy under the suite, or else under the
            test attack; None without that accuracy.
    """

    point: Point
    accuracies: dict[str, float]
    seconds: float | None = None
    threat_model: str | None = None
    method: str | None = None
    verdicts: Callable[[], Verdicts] | None = None
    seed: int | None = None


@dataclasses.dataclass(frozen=True)
class Group:
    """The runs of a sweep that differ by their seed only, each seed once.

    Args:
        values: pairs of short name and value.
        results: `Result`s, one for each seed.
    """

    values: tuple[tuple[str, str], ...]
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        """The values in words, such as "BETA 6"."""
        return ", ".join(f"{name} {value}" for name, value in self.values) or "all"

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
    report = read_run_report(path) if (path / REPORT).is_file() else None
    if report is not None:
        accuracies |= {"clean": report.clean, "robust": report.robust}
    judged = find_evaluation(path, suite)
    verdicts: Callable[[], Verdicts] | None = None
    if suite is None and report is not None:
        verdicts = functools.partial(read_test, path)
    if judged is not None:
        accuracies["suite"] = read_evaluation_report(judged)["robust"]["accuracy"]
        seed = point.seed if report is None else report.seed
        verdicts = functools.partial(read_evaluation, judged, seed)
    if report is None:
        return Result(point, accuracies, verdicts=verdicts)
    told = report.seconds, report.threat_model, report.method, verdicts, report.seed
    return Result(point, accuracies, *told)


def find_evaluation(run: pathlib.Path, suite: str | None) -> pathlib.Path | None:
    """The folder of a finished evaluation of a run; None if there is none."""
    if suite is None:
        return None
    path = evaluation_folder(run, suite)
    return path if (path / REPORT).is_file() else None


def read_evaluation_seconds(folder: pathlib.Path) -> float:
    """Seconds that a finished evaluation took."""
    return float(read_evaluation_report(folder).get("costs", {}).get("seconds") or 0.0)


def evaluation_folder(run: pathlib.Path, suite: str) -> pathlib.Path:
    """Where a sweep evaluates its runs."""
    return run / "evaluation" / suite


def group_results(results: Sequence[Result]) -> list[Group]:
    """Groups results that differ by their seed only, in the order of the first of each.

    A point without a seed has that of the gin file: beside one that was asked for with the same seed it is
    the same run once more, and the first of the two counts.
    """
    groups: dict[tuple, list[Result]] = {}
    for result in results:
        group = groups.setdefault(tuple(shorten(result.point.values)), [])
        if result.seed is None or result.seed not in [other.seed for other in group]:
            group.append(result)
    return [Group(values, tuple(found)) for values, found in groups.items()]


def compare_groups(groups: Sequence[Group]) -> Comparison:
    """Compares the groups in pairs on the test examples and seeds that they share.

    Under the suite of the sweep, or without one under the test attack of its gin file.

    Args:
        groups: `Group`s.
    """
    return compare_methods(
        [judge_method(g.name, [r.verdicts for r in g.results if r.verdicts]) for g in groups]
    )
