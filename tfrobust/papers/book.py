"""Our runs beside a paper's table, from the reports that are found under folders."""

import dataclasses
import json
import math
import os
import pathlib
import re
import statistics
from collections.abc import Iterator, Sequence

from scipy.stats import t as student

from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.papers.tables import Column, PaperTable, Row
from tfrobust.runs import files, kinds
from tfrobust.runs.run_report import read_bindings

_SCHEMA = 1
# Bindings that make no other method: the seed, and where it ran.
_FREE = re.compile(r"(SEED|training\.train\.(seed|strategy|devices|save_seconds|image_epochs)) = ")


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many of how many test images are right."""

    right: int
    total: int


@dataclasses.dataclass(frozen=True)
class FoundRun:
    """A finished run with its evaluations.

    Args:
        folder: of the run.
        gin_files, gin_bindings: that it was made of; without those that change nothing but the seed and where
            it ran.
        configuration: the lines of gin that were in force.
        seed: whole number.
        counts: from "clean", "SUITE" and "SUITE:ATTACK" to `Counts`.
    """

    folder: pathlib.Path
    gin_files: tuple[str, ...]
    gin_bindings: tuple[str, ...]
    configuration: frozenset[str]
    seed: int
    counts: dict[str, Counts]


@dataclasses.dataclass(frozen=True)
class Ours:
    """What runs say of one cell.

    Args:
        value: accuracy in percent, the mean over runs.
        interval: of 95 %, in percent.
        seeds: of the runs.
        images: on how many test images.
        overlaps: whether the interval and the paper's have a point in common; None without a paper's value,
            and for runs of something else than the row.
    """

    value: float
    interval: tuple[float, float]
    seeds: tuple[int, ...]
    images: int
    overlaps: bool | None


@dataclasses.dataclass(frozen=True)
class Line:
    """A row of a paper's table with ours.

    Args:
        row: the paper's `Row`.
        changes: gin files and lines of gin that the runs had beside the row's, such as a part for a smaller
            scale; empty for runs of the row itself.
        cells: one for each column, `Ours` or None where nothing was run.
    """

    row: Row
    changes: tuple[str, ...]
    cells: tuple[Ours | None, ...]


def find_runs(folders: Sequence[str | os.PathLike]) -> list[FoundRun]:
    """Finds all finished runs at or below folders, with the evaluations inside of them.

    Args:
        folders: paths.

    Returns:
        `FoundRun`s in the order of their paths.

    Raises:
        UserError: a report cannot be read.
    """
    paths = {
        path.resolve(): path for folder in folders for path in _list_runs(pathlib.Path(folder))
    }
    return [_read_run(paths[path]) for path in sorted(paths)]


def compare_table(table: PaperTable, runs: Sequence[FoundRun]) -> list[Line]:
    """Puts runs beside the rows of a paper's table.

    A run belongs to a row if it was made of the row's gin file and lines of gin and of nothing else, but for
    its seed; what was made of more is a line of its own, below the row that has most of its lines. Runs that
    differ by their seed only make one cell. The interval of one run is Wilson's for its test images; that of
    k runs with the mean p, sample variance s² and the same n test images is

        p ± t sqrt(s² / k + p (1 - p) / n)

    with the quantile t of Student's distribution with k - 1 degrees of freedom.

    Args:
        table: `PaperTable`.
        runs: `FoundRun`s.

    Returns:
        `Line`s: for each row its own, then those of runs with changes.
    """
    lines = []
    for row in table.rows:
        found: dict[tuple[str, ...], list[FoundRun]] = {}
        for run in runs:
            if _find_row(table, run) is row:
                more = (*run.gin_files, *run.gin_bindings)
                changes = tuple(m for m in more if m not in (row.gin_file, *row.bindings))
                found.setdefault(changes, []).append(run)
        for changes in sorted({(), *found}):
            cells = tuple(
                _make_cell(row, column, value, found.get(changes, []), bool(changes))
                for column, value in zip(table.columns, row.values, strict=True)
            )
            lines.append(Line(row, changes, cells))
    return lines


def _find_row(table, run):
    fitting = [
        row
        for row in table.rows
        if row.gin_file in run.gin_files and set(row.bindings) <= run.configuration
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
    mean = statistics.fmean(shares)
    if len(shares) == 1:
        (only,) = found.values()
        low, high = binomial_interval(only.right, only.total)
    else:
        variance = statistics.variance(shares) / len(shares) + mean * (1 - mean) / images
        half = float(student.ppf(0.975, len(shares) - 1)) * math.sqrt(variance)
        low, high = max(0.0, mean - half), min(1.0, mean + half)
    overlaps = None
    if paper is not None and not changed:
        total = row.count_images(column)
        theirs = binomial_interval(round(paper / 100 * total), total)
        overlaps = low <= theirs[1] and theirs[0] <= high
    return Ours(100 * mean, (100 * low, 100 * high), tuple(sorted(found)), images, overlaps)


def _list_runs(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    for path in sorted(folder.rglob(kinds.RUN.marker)):
        if kinds.RUN.read(path.parent) is not None and (path.parent / "report.json").is_file():
            yield path.parent


def _read_run(folder: pathlib.Path) -> FoundRun:
    record = kinds.RUN.read(folder) or {}
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    counts = {"clean": Counts(report["clean"]["right"], report["clean"]["total"])}
    for path in sorted(folder.glob("evaluation/*/report.json")):
        counts |= _read_evaluation(path)
    lines = frozenset(line.strip() for line in record.get("configuration", "").splitlines())
    bindings = tuple(b for b in read_bindings(folder, report) if not _FREE.match(b))
    return FoundRun(folder, tuple(report["gin_files"]), bindings, lines, report["seed"], counts)


def _read_evaluation(path: pathlib.Path) -> dict[str, Counts]:
    report = files.read_json(path, "tfrobust", _SCHEMA)["tfrobust"]
    if report["robust"] is None:
        return {}
    counts = {report["suite"]: _count(report["robust"])}
    for attack in report["attacks"]:
        # Of an attack that was not given all examples nothing is known by itself.
        if attack["marginal"] is not None:
            # Transfers from several surrogates are one attack each: the strongest counts.
            key = f"{report['suite']}:{attack['name'].split('-from-')[0]}"
            found = _count(attack["marginal"])
            counts[key] = min(found, counts.get(key, found), key=lambda c: c.right)
    return counts


def _count(entry):
    return Counts(entry["right"], entry["total"])
