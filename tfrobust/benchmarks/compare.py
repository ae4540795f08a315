"""Many methods under one budget, judged alike: the README's table of methods."""

import functools
import json
import math
import os
import pathlib
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfrobust.comparison.compare import compare_methods, judge_method
from tfrobust.comparison.text import describe_letters, format_difference, list_sentences
from tfrobust.comparison.verdicts import read_counted
from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.examples import Examples
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import suite
from tfrobust.runs import files
from tfrobust.runs.markdown import link, plain
from tfrobust.runs.reports.run_report import describe_method
from tfrobust.threat_models.base import ThreatModel

# One size for all models, so that those of one architecture share their traces: all test digits at once.
SLOTS = 360


_HEAD = ("gin file", "method", "runs", "clean", "PGD-20", "AutoAttack", "group", "ms a step")


class SharedSuite:
    """A suite of attacks on many classifiers; those of one architecture share their traces.

    Args:
        name: of the suite, the strongest of this project by default.
    """

    def __init__(self, name: str = "autoattack") -> None:
        self.name = name

    def __call__(
        self, classifier: keras.Model, examples: Examples, threat_model: ThreatModel
    ) -> tuple[dict[str, int], np.ndarray]:
        """Counts the examples that are robust to each attack and the ones before it.

        Args:
            classifier: Keras model.
            examples: `evaluation.Examples`.
            threat_model: `ThreatModel`.

        Returns:
            A dict from "clean" and each attack's name, in order, to a count; and which examples are robust
            to all, (n,) booleans.
        """
        attacks = suite(self.name, threat_model).attacks
        evaluator = Evaluator(Subject.of(classifier), attacks, slots=SLOTS, reserve=len(examples.y))
        predictions, outcomes, _ = evaluator(examples.x, examples.y, examples.ids)
        standing = predictions == examples.y
        counts = {"clean": int(standing.sum())}
        for outcome in outcomes:
            standing = standing & ~outcome.broken
            counts[outcome.name] = int(standing.sum())
        return counts, standing


def read_report(folder: str | os.PathLike) -> dict[str, Any]:
    """The content of a finished run's report.json.

    Raises:
        UserError: the folder holds none, or one that is damaged.
    """
    return _read(
        pathlib.Path(folder, "report.json"), "Train it again, or leave that run out.", _check_report
    )


def _check_report(content):
    (
        _compute_share(content["clean"])
        + _compute_share(content["robust"])
        + (content["step_seconds"] or 0.0)
    )
    str.strip(describe_method(content))


def _read(path, advice, check):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        check(content)
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise UserError(f"{path} is missing or damaged. {advice}") from error
    return content


def judge_run(
    folder: str | os.PathLike,
    load_test: Callable[[str | os.PathLike], tuple[Examples, ThreatModel]],
    shared: SharedSuite,
    most: int | None = None,
) -> dict[str, Any]:
    """The report of a finished run with the count of a suite added; computed once a run.

    Of a run that was judged before, run.json, report.json and the suite's file are all that is read.

    Args:
        folder: the run's.
        load_test: folder -> `evaluation.Examples` of its test split, threat model of its test attack.
        shared: `SharedSuite`.
        most: judge on the first so many of these examples; None for all.

    Returns:
        The content of report.json, with "suite": a dict of "right", "total", "standing" and
        "robust". The last one is a text of a 1 for each example that is robust and a 0 for each other.
        "verdicts" is a function that reads them as `Verdicts`.
    """
    report, cache = read_report(folder), pathlib.Path(folder, f"{shared.name}.json")
    advice = "Remove it, and the run is judged again."
    total = min(most or math.inf, report["clean"]["total"])
    # Judged on another number of examples it is judged again.
    if not cache.is_file() or _read(cache, advice, _compute_share)["total"] != total:
        _check_export(folder, cache, total)
        classifier = read_keras_file(pathlib.Path(folder, "export", "classifier.keras"))
        examples, threat_model = load_test(folder)
        examples = examples.first(total)
        standing, robust = shared(classifier, examples, threat_model)
        counted = {"right": min(standing.values()), "total": len(examples.y), "standing": standing}
        counted["robust"] = "".join("01"[bool(flag)] for flag in robust)
        files.write_json(cache, {"threat_model": repr(threat_model), **counted})
    counted = _read(cache, advice, _compute_share)
    verdicts = functools.partial(read_counted, cache, shared.name, report["seed"])
    return {**report, "suite": counted, "verdicts": verdicts}


def _check_export(folder, cache, total):
    """Of a run that was kept without its classifier, says what it was judged on."""
    if cache.is_file() and not pathlib.Path(folder, "export").exists():
        judged = json.loads(cache.read_text(encoding="utf-8"))["total"]
        raise UserError(
            f"{folder} was judged on {judged} test examples, not on {total}, and has no classifier to judge "
            f"again. Give --examples={judged}, or the folder of the run itself."
        )


def format_comparison(results: dict[str, list[dict[str, Any]]], beside: Sequence[str] = ()) -> str:
    """A Markdown table with a row for each gin file, means and standard deviations over its runs.

    Rows that share a letter under "group" are not told apart under AutoAttack; sentences below the table say
    how sure the differences are.

    Args:
        results: gin file -> list of what `judge_run` returned, or an empty list where nothing was run.
        beside: gin files; for each a column of the differences to its runs.
    """
    more = [f"minus {pathlib.Path(gin).stem}" for gin in beside]
    lines = [
        f"| {' | '.join([*_HEAD, *more])} |",
        f"| {' | '.join(['---'] * (len(_HEAD) + len(more)))} |",
    ]
    order = sorted(results)
    found = compare_methods(
        [judge_method(pathlib.Path(g).stem, [r["verdicts"] for r in results[g]]) for g in order]
    )
    for place, gin in enumerate(order):
        shown, reports = link(pathlib.Path(gin).stem, gin), results[gin]
        if not reports:
            cells = ["not run"] * (5 + len(more))
            lines.append(f"| {shown} | | 0 | {' | '.join(cells)} |")
            continue
        cells = [
            _format_percent([_compute_share(r[key]) for r in reports])
            for key in ("clean", "robust", "suite")
        ]
        steps = [1000 * r["step_seconds"] for r in reports if r["step_seconds"]]
        time = f"{statistics.median(steps):.0f}" if steps else "not measured"
        cells += [found.letters[place], time]
        for other in beside:
            pair = found.find_pair(place, order.index(other))
            unknown = "not compared" if results[other] else "not run"
            cells.append("" if gin == other else format_difference(pair) if pair else unknown)
        lines.append(
            f"| {shown} | {plain(describe_method(reports[0]))} | {len(reports)} | {' | '.join(cells)} |"
        )
    told = [
        f"- {plain(sentence)}" for sentence in [*list_sentences(found), *describe_letters([found])]
    ]
    return "\n".join([*lines, *(["", "Under AutoAttack:", "", *told] if told else [])])


def _compute_share(counted):
    return 100 * counted["right"] / counted["total"]


def _format_percent(values):
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"
