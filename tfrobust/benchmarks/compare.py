"""Many methods under one budget, judged alike: the README's table of methods."""

import json
import os
import pathlib
import statistics
from typing import Any

import keras

from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.examples import Examples
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import suite
from tfrobust.runs import files
from tfrobust.runs.markdown import link, plain
from tfrobust.threat_models.base import ThreatModel

# One size for all models, so that those of one architecture share their traces: all test digits at once.
SLOTS = 360


class SharedSuite:
    """A suite of attacks on many classifiers; those of one architecture share their traces.

    Args:
        name: of the suite, the strongest of this project by default.
    """

    def __init__(self, name: str = "autoattack") -> None:
        self.name = name

    def __call__(
        self, classifier: keras.Model, examples: Examples, threat_model: ThreatModel
    ) -> dict[str, int]:
        """Counts the examples that are robust to each attack and the ones before it.

        Args:
            classifier: Keras model.
            examples: `evaluation.Examples`.
            threat_model: `ThreatModel`.

        Returns:
            A dict from "clean" and each attack's name, in order, to a count.
        """
        attacks = suite(self.name, threat_model).attacks
        evaluator = Evaluator(Subject.of(classifier), attacks, slots=SLOTS, reserve=len(examples.y))
        predictions, outcomes, _ = evaluator(examples.x, examples.y, examples.ids)
        standing = predictions == examples.y
        counts = {"clean": int(standing.sum())}
        for outcome in outcomes:
            standing = standing & ~outcome.broken
            counts[outcome.name] = int(standing.sum())
        return counts


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
    str.strip(content["method"])


def _read(path, advice, check):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        check(content)
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise UserError(f"{path} is missing or damaged. {advice}") from error
    return content


def judge_run(
    folder: str | os.PathLike, examples: Examples, threat_model: ThreatModel, shared: SharedSuite
) -> dict[str, Any]:
    """The report of a finished run with the count of a suite added; computed once a run.

    Args:
        folder: the run's.
        examples: `evaluation.Examples` of its test split.
        threat_model: of its test attack.
        shared: `SharedSuite`.

    Returns:
        The content of report.json, with "suite": {"right": ..., "total": ..., "standing": ...}.
    """
    report, cache = read_report(folder), pathlib.Path(folder, f"{shared.name}.json")
    if not cache.is_file():
        classifier = read_keras_file(pathlib.Path(folder, "export", "classifier.keras"))
        standing = shared(classifier, examples, threat_model)
        counted = {"right": min(standing.values()), "total": len(examples.y), "standing": standing}
        files.write_json(cache, {"threat_model": repr(threat_model), **counted})
    counted = _read(cache, "Remove it, and the run is judged again.", _compute_share)
    return {**report, "suite": counted}


def format_comparison(results: dict[str, list[dict[str, Any]]]) -> str:
    """A Markdown table with a row for each gin file, means and standard deviations over its runs.

    Args:
        results: gin file -> list of what `judge_run` returned, or an empty list where nothing was run.
    """
    lines = [
        "| gin file | method | runs | clean | PGD-20 | AutoAttack | ms a step |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for gin, reports in sorted(results.items()):
        shown = link(pathlib.Path(gin).stem, gin)
        if not reports:
            lines.append(f"| {shown} | | 0 | not run | not run | not run | not run |")
            continue
        cells = [
            _format_percent([_compute_share(r[key]) for r in reports])
            for key in ("clean", "robust", "suite")
        ]
        steps = [1000 * r["step_seconds"] for r in reports if r["step_seconds"]]
        time = f"{statistics.median(steps):.0f}" if steps else "not measured"
        lines.append(
            f"| {shown} | {plain(reports[0]['method'])} | {len(reports)} | {' | '.join(cells)} | {time} |"
        )
    return "\n".join(lines)


def _compute_share(counted):
    return 100 * counted["right"] / counted["total"]


def _format_percent(values):
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"
