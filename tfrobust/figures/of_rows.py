"""The figure of the rows of a table: evaluations, or runs that were judged."""

import pathlib
import statistics

from tfrobust.errors import UserError
from tfrobust.figures.request import Drawn, Request
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.papers.found import FoundRun, find_runs
from tfrobust.plots import plot_rows
from tfrobust.plots.rows import Spread
from tfrobust.runs import files
from tfrobust.runs.reports.run_report import read_run_report
from tfrobust.runs.reports.threat_model import describe_threat_model

_SCHEMA = 1
_INTERVALS = "95 % intervals, of one run"
_DEVIATIONS = "one standard deviation over seeds"


def draw_rows(request: Request) -> Drawn:
    """Clean against robust accuracy, a point for each row.

    A row is an evaluation, or the runs below a folder that one gin file made: their mean over seeds.
    """
    rows: dict[str, tuple[Spread, Spread]] = {}
    measures, threat_models, kinds_of_bars = set(), set(), set()
    for name, path in zip(request.names, request.paths, strict=True):
        runs = find_runs([path])
        if not runs:
            report = files.read_json(pathlib.Path(path, "report.json"), "tfrobust", _SCHEMA)
            report = report["tfrobust"]
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
            rows[label] = _spread_of_runs(group, "clean"), _spread_of_runs(group, suite)
            kinds_of_bars.add(_DEVIATIONS if len(group) > 1 else _INTERVALS)
            threat_models |= {
                describe_threat_model(read_run_report(run.folder).threat_model) for run in group
            }
    for word, found in (("threat models", threat_models), ("suites", measures)):
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
    """The one suite that judged all runs."""
    suites = [{key for key in run.counts if key != "clean" and ":" not in key} for run in runs]
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
    accuracies = [count.right / count.total for count in counts]
    middle = statistics.fmean(accuracies)
    if len(accuracies) > 1:
        deviation = statistics.stdev(accuracies)
        return middle - deviation, middle, middle + deviation
    low, high = binomial_interval(counts[0].right, counts[0].total)
    return low, middle, high
