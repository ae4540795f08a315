"""The figure of the rows of a table: evaluations, or runs that were judged."""

import pathlib
import statistics

from tfrobust.errors import UserError
from tfrobust.figures.evaluations import read_chosen_report
from tfrobust.figures.request import Drawn, Request
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.papers.found import FoundRun, find_runs
from tfrobust.plots import plot_rows
from tfrobust.plots.rows import Spread
from tfrobust.runs.reports.run_report import RunReport, read_run_report
from tfrobust.runs.reports.threat_model import describe_threat_model

_INTERVALS = "95 % intervals, of one run"
_DEVIATIONS = "one standard deviation over seeds"
_TEST = "test attack"


def draw_rows(request: Request) -> Drawn:
    """Clean against robust accuracy, a point for each row.

    A row is an evaluation, or the runs below a folder that one gin file made: their mean over seeds. Runs
    of which none was evaluated stand by their own test attack.
    """
    rows: dict[str, tuple[Spread, Spread]] = {}
    measures, threat_models, kinds_of_bars = set(), set(), set()
    test_attacks: set[str] = set()
    for name, path in zip(request.names, request.paths, strict=True):
        runs = find_runs([path])
        if not runs:
            report = read_chosen_report(path)
            if report["robust"] is None:
                raise UserError(f"The evaluation {name} has no attacks. Leave it out.")
            rows[name] = _spread_of_counts(report["clean"]), _spread_of_counts(report["robust"])
            measures.add(report["suite"])
            threat_models.add(describe_threat_model(report["threat_model"]))
            kinds_of_bars.add(_INTERVALS)
            continue
        suite = _choose_suite(runs)
        measures.add(suite)
        for label, group in _group(runs, name).items():
            label = f"{name}: {label}" if label in rows else label
            reports = [read_run_report(run.folder) for run in group]
            robust = _spread_of_tests(reports) if suite == _TEST else _spread_of_runs(group, suite)
            rows[label] = _spread_of_runs(group, "clean"), robust
            kinds_of_bars.add(_DEVIATIONS if len(group) > 1 else _INTERVALS)
            threat_models |= {describe_threat_model(report.threat_model) for report in reports}
            test_attacks |= {report.test_attack for report in reports if suite == _TEST}
    sets = {"threat models": threat_models, "suites": measures, "test attacks": test_attacks}
    for word, found in sets.items():
        if len(found) > 1:
            raise UserError(
                f"Robust accuracies under different {word} cannot be compared: {', '.join(sorted(found))}. "
                f"Give rows with one of them."
            )
    figure = plot_rows(
        rows,
        f"robust accuracy\n({measures.pop()}, {threat_models.pop()})",
        ", or ".join(sorted(kinds_of_bars)),
    )
    head = ("row", "clean_low", "clean", "clean_high", "robust_low", "robust", "robust_high")
    return Drawn(
        figure, head, [(label, *clean, *robust) for label, (clean, robust) in rows.items()]
    )


def _choose_suite(runs: list[FoundRun]) -> str:
    """The one suite that judged all runs, or the test attack if there was no suite for any."""
    suites = [{key for key in run.counts if key != "clean" and ":" not in key} for run in runs]
    if not any(suites):
        return _TEST
    shared = set.intersection(*suites)
    if len(shared) != 1:
        without = [str(run.folder) for run, found in zip(runs, suites, strict=True) if not found]
        if without:
            seen = (
                f"{len(without)} of {len(runs)} runs have no evaluation, the first is {without[0]}"
            )
        else:
            seen = f"All of the runs were judged under: {', '.join(sorted(shared)) or 'none'}"
        raise UserError(
            f"The rows of a figure are judged under one suite. {seen}. Give the folders of evaluations, or "
            "of the runs that have one."
        )
    return shared.pop()


def _group(runs: list[FoundRun], name: str) -> dict[str, list[FoundRun]]:
    """The runs of each gin file with its bindings, by its name."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[FoundRun]] = {}
    for run in runs:
        groups.setdefault((run.gin_files, run.gin_bindings), []).append(run)
    if len(groups) == 1:
        return {name: runs}
    for parts in (1, 2, None):
        labels = [_name(*key, parts) for key in groups]
        if len(set(labels)) == len(labels):
            break
    return dict(zip(labels, groups.values(), strict=True))


def _name(gin_files, gin_bindings, parts):
    """What a row is called, by the last `parts` of its files' paths; all of them if None."""
    names = (pathlib.Path(file).with_suffix("").parts[-(parts or 99) :] for file in gin_files)
    return ", ".join([*map("/".join, names), *gin_bindings])


def _spread_of_counts(counts: dict) -> Spread:
    low, high = counts["interval"]
    return low, counts["accuracy"], high


def _spread_of_runs(runs: list[FoundRun], key: str) -> Spread:
    counts = [run.counts[key] for run in runs]
    ends = binomial_interval(counts[0].right, counts[0].total)
    return _spread([count.right / count.total for count in counts], ends)


def _spread_of_tests(reports: list[RunReport]) -> Spread:
    return _spread([report.robust for report in reports], reports[0].interval)


def _spread(accuracies: list[float], ends: tuple[float, float]) -> Spread:
    """The mean of several accuracies and its bar of deviations; of one alone between its `ends`."""
    middle = statistics.fmean(accuracies)
    if len(accuracies) == 1:
        return ends[0], middle, ends[1]
    deviation = statistics.stdev(accuracies)
    return middle - deviation, middle, middle + deviation
