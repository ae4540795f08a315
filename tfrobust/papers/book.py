"""Our runs beside a paper's table, from the reports that are found under folders."""

import dataclasses
import statistics
from collections.abc import Sequence

from tfrobust.ops.uncertainty.interval import binomial_interval, mean_interval
from tfrobust.papers.found import FoundRun
from tfrobust.papers.tables import Column, PaperTable, Row
from tfrobust.runs.reports.lines import unify_line


@dataclasses.dataclass(frozen=True)
class Ours:
    """What runs say of one cell.

    Args:
        value: accuracy in percent, the mean over runs.
        interval: of 95 %, in percent.
        seeds: of the runs.
        images: on how many test images, the fewest of all seeds.
        overlaps: whether the interval and the paper's have a point in common; None without a paper's value,
            and for runs of something else than the row.
    """

    value: float
    interval: tuple[float, float]
    seeds: tuple[int, ...]
    images: int
    overlaps: bool | None


@dataclasses.dataclass(frozen=True)
class Time:
    """How long a training step takes.

    Args:
        ratio: in units of that of the table's `time_row`.
        seeds: of the runs.
    """

    ratio: float
    seeds: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Line:
    """A row of a paper's table with ours.

    Args:
        row: the paper's `Row`.
        changes: gin files and lines of gin that the runs had beside the row's, such as a part for a smaller
            scale; empty for runs of the row itself.
        cells: one for each column, `Ours`, `Time`, or None where nothing was run.
        runs: the `FoundRun`s behind the cells, one a seed.
        remarks: sentences on runs and evaluations that do not count, and why.
    """

    row: Row
    changes: tuple[str, ...]
    cells: tuple[Ours | Time | None, ...]
    runs: tuple[FoundRun, ...] = ()
    remarks: tuple[str, ...] = ()


def compare_table(table: PaperTable, runs: Sequence[FoundRun]) -> list[Line]:
    """Puts runs beside the rows of a paper's table.

    A run belongs to a row if it was made of the row's gin file and lines of gin and of nothing else, but for
    its seed; what was made of more is a line of its own, below the row that has most of its lines. Lines are
    the same where their values are, such as LAMBDA = 3 and LAMBDA = 3.0. Runs that differ by their seed only
    make one cell; of several runs of one seed, that with the most evaluations counts. The interval of one run
    is Wilson's for its test images, that of several adds the chance of their seeds: `mean_interval`.

    Args:
        table: `PaperTable`.
        runs: `FoundRun`s.

    Returns:
        `Line`s: for each row its own, then those of runs with changes.
    """
    groups = [_group_runs(table, row, runs) for row in table.rows]
    unit = [
        seconds
        for row, found in zip(table.rows, groups, strict=True)
        for _, seconds in _list_seconds(_keep_seeds(found.get((), []))[0])
        if row.method == table.time_row
    ]
    lines = []
    for row, found in zip(table.rows, groups, strict=True):
        for changes in sorted({(), *found}):
            here, remarks = _keep_seeds(found.get(changes, []))
            cells = tuple(
                _make_time(here, unit)
                if column.suite == "time"
                else _make_cell(row, column, value, here, bool(changes))
                for column, value in zip(table.columns, row.values, strict=True)
            )
            lines.append(Line(row, changes, cells, tuple(here), remarks))
    return lines


def _keep_seeds(runs):
    """One run for each seed, and sentences on all that does not count."""
    kept: dict[int, FoundRun] = {}
    remarks = [told for run in runs for told in run.left_out]
    for run in sorted(runs, key=lambda run: -len(run.counts)):
        first = kept.setdefault(run.seed, run)
        if first is not run:
            remarks.append(
                f"{run.folder} does not count: {first.folder} is a run of seed {run.seed} too."
            )
    return sorted(kept.values(), key=lambda run: run.seed), tuple(remarks)


def _group_runs(table, row, runs):
    """The runs of a row by what they changed."""
    found: dict[tuple[str, ...], list[FoundRun]] = {}
    for run in runs:
        if _find_row(table, run) is row:
            there = {row.gin_file, *map(unify_line, row.bindings)}
            more = (*run.gin_files, *run.gin_bindings)
            changes = tuple(line for line in more if unify_line(line) not in there)
            found.setdefault(changes, []).append(run)
    return found


def _list_seconds(runs):
    return [(run.seed, run.step_seconds) for run in runs if run.step_seconds]


def _make_time(runs, unit):
    found = _list_seconds(runs)
    if not found or not unit:
        return None
    ratio = statistics.fmean(s for _, s in found) / statistics.fmean(unit)
    return Time(ratio, tuple(sorted({seed for seed, _ in found})))


def _find_row(table, run):
    fitting = [
        row
        for row in table.rows
        if row.gin_file in run.gin_files
        and {*map(unify_line, row.bindings)} <= {*map(unify_line, run.configuration)}
    ]
    return max(fitting, key=lambda row: len(row.bindings), default=None)


def _make_cell(
    row: Row, column: Column, paper: float | None, runs: Sequence[FoundRun], changed: bool
) -> Ours | None:
    found = {run.seed: run.counts[column.suite] for run in runs if column.suite in run.counts}
    if not found:
        return None
    images = min(counts.total for counts in found.values())
    shares = [counts.right / counts.total for counts in found.values()]
    mean, (low, high) = statistics.fmean(shares), mean_interval(shares, images)
    overlaps = None
    if paper is not None and not changed:
        total = row.count_images(column)
        theirs = binomial_interval(round(paper / 100 * total), total)
        overlaps = low <= theirs[1] and theirs[0] <= high
    return Ours(100 * mean, (100 * low, 100 * high), tuple(sorted(found)), images, overlaps)
