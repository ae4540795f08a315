"""Finished runs with their evaluations, found by their reports under folders."""

import dataclasses
import functools
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfrobust.comparison.verdicts import (
    Verdicts,
    name_threat_model,
    read_counted,
    read_evaluation,
)
from tfrobust.errors import UserError, one_line
from tfrobust.runs import kinds
from tfrobust.runs.reports.evaluation_report import read_evaluation_report
from tfrobust.runs.reports.run_report import read_bindings

# The suite of bin/compare.py.
_COMPARED = "autoattack_standard"
# Radii that differ by less are one: RAT attacks networks of 8/255 at 0.031.
_NEAR = 0.02
# Bindings that make no other method: the seed, where it ran, and what was looked at.
_FREE = re.compile(
    r"(SEED|training\.train\.(seed|strategy|devices|save_seconds|image_epochs|profile_steps"
    r"|gradient_norm)) = "
)


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
        step_seconds: of a training step, the median; None if not known.
        verdicts: from "SUITE" and "SUITE:ATTACK" to a function that reads the `Verdicts` behind its counts.
        left_out: sentences on evaluations that do not count, and why.
    """

    folder: pathlib.Path
    gin_files: tuple[str, ...]
    gin_bindings: tuple[str, ...]
    configuration: frozenset[str]
    seed: int
    counts: dict[str, Counts]
    step_seconds: float | None
    verdicts: dict[str, Callable[[], Verdicts]]
    left_out: tuple[str, ...] = ()


def find_runs(folders: Sequence[str | os.PathLike]) -> list[FoundRun]:
    """Finds all finished runs at or below folders, with the evaluations inside of them.

    An evaluation counts if it is of the test split of the run's data, in the threat model of the run's own
    test; of several under one suite, such as shards and what they were merged into, that of the most
    examples.

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
    return [_read_whole(paths[path]) for path in sorted(paths)]


def _read_whole(folder):
    try:
        return _read_run(folder)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"A report of {folder} is damaged or of another version: {type(error).__name__}: "
            f"{one_line(error)}. Train or evaluate again, or leave that folder out."
        ) from error


def _list_runs(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    for path in sorted(folder.rglob(kinds.RUN.marker)):
        if kinds.RUN.read(path.parent) is not None and (path.parent / "report.json").is_file():
            yield path.parent


def _read_run(folder: pathlib.Path) -> FoundRun:
    record = kinds.RUN.read(folder) or {}
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    counts = {"clean": Counts(report["clean"]["right"], report["clean"]["total"])}
    compared, seed = folder / "autoattack.json", report["seed"]
    verdicts: dict[str, Callable[[], Verdicts]] = {}
    if compared.is_file():
        # The verdict of bin/compare.py, which writes no report of an evaluation.
        verdict = json.loads(compared.read_text(encoding="utf-8"))
        counts[_COMPARED] = _count(verdict)
        verdicts[_COMPARED] = functools.partial(read_counted, compared, _COMPARED, seed)
    evaluations, left_out = _list_evaluations(folder, report)
    for path, ours in evaluations:
        for key, found in _count_evaluation(ours).items():
            counts[key] = found
            attack = key.partition(":")[2] or None
            verdicts[key] = functools.partial(read_evaluation, path, seed, attack)
    lines = frozenset(line.strip() for line in record.get("configuration", "").splitlines())
    bindings = tuple(b for b in read_bindings(folder, report) if not _FREE.match(b))
    return FoundRun(
        folder,
        tuple(report["gin_files"]),
        bindings,
        lines,
        seed,
        counts,
        report.get("step_seconds"),
        verdicts,
        left_out,
    )


def _list_evaluations(folder, report):
    """One evaluation for each suite, pairs of its folder and report, and sentences on what does not count."""
    chosen: dict[str, tuple[pathlib.Path, dict[str, Any]]] = {}
    left_out = []
    for path in sorted(folder.glob("evaluation/*/report.json")):
        ours = read_evaluation_report(path.parent)
        if ours["robust"] is None:
            continue
        differs = _find_difference(ours, report)
        if differs is not None:
            left_out.append(f"{path.parent} does not count: {differs}.")
            continue
        _, former = chosen.get(ours["suite"], (None, None))
        if former is None or former["robust"]["total"] < ours["robust"]["total"]:
            chosen[ours["suite"]] = (path.parent, ours)
    return list(chosen.values()), tuple(left_out)


def _find_difference(ours, report):
    """What an evaluation was of, where that is not what the run's own test was of; else None."""
    tested = f"{report['data']} test"
    if ours["data"] != tested:
        return f"it is of {ours['data']}, not of {tested}"
    expected = name_threat_model(report["threat_model"])
    norm, _, radius = expected.partition(" ")
    if ours["norm"] != norm or abs(ours["radius"] - float(radius)) > _NEAR * float(radius):
        return f"it is in {ours['norm']} {ours['radius']:g}, the run's own test in {expected}"
    if ours.get("nan_counts", "broken") != "broken":
        return "images without finite logits count as robust in it"
    return None


def _count_evaluation(report):
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
