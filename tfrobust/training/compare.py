"""Many methods under one budget, judged alike: the README's table of methods."""

import json
import pathlib
import re
import statistics

import keras

from tfrobust import files
from tfrobust.attacks import APGD
from tfrobust.data import evaluation_dataset
from tfrobust.evaluation.measure import Judge, measure
from tfrobust.losses import CrossEntropy, TargetedDLR
from tfrobust.threat_models import Linf

STEPS, MOST_TARGETS = 100, 9


class StrongestAttack:
    """The strongest evaluation of this project: every example against several long searches.

    APGD-CE and APGD-T as in AutoAttack's standard version: 100 steps on the cross-entropy, and 100 on
    the targeted DLR towards each of the nine likeliest wrong classes (fewer where there are fewer).
    Classifiers of one architecture share their traces.

    Args:
        threat_model: `ThreatModel` to search.
    """

    def __init__(self, threat_model):
        self.threat_model = threat_model
        self._judges = {}

    def __call__(self, classifier, dataset):
        """`Measured` accuracies of a Keras model on a dataset of (x, y, sample_weight)."""
        config = json.dumps(keras.saving.serialize_keras_object(classifier)["config"])
        # Keras numbers the layers of one process: conv2d, conv2d_1, ...
        key = re.sub(r'_\d+"', '"', config)
        if key not in self._judges:
            targets = min(MOST_TARGETS, classifier.output_shape[-1] - 1)
            attacks = (
                APGD(self.threat_model, CrossEntropy(), steps=STEPS),
                APGD(self.threat_model, TargetedDLR(), steps=STEPS, targets=targets),
            )
            self._judges[key] = classifier, [Judge(classifier, attack) for attack in attacks]
        shared, judges = self._judges[key]
        shared.set_weights(classifier.get_weights())
        return measure(judges, dataset)


def report_of(folder):
    """The content of a finished run's report.json."""
    return json.loads(pathlib.Path(folder, "report.json").read_text(encoding="utf-8"))


def judge_run(folder, splits, strongest, batch_size=360):
    """The report of a finished run with the strongest evaluation's count added; computed once a run.

    Args:
        folder: the run's.
        splits: `data.Splits` that the run was made with.
        strongest: `StrongestAttack`.
        batch_size: of the evaluation.

    Returns:
        The content of report.json, with "strongest": {"right": ..., "total": ...}.
    """
    cache = pathlib.Path(folder, "strongest.json")
    if not cache.is_file():
        classifier = keras.saving.load_model(pathlib.Path(folder, "export", "classifier.keras"))
        measured = strongest(classifier, evaluation_dataset(splits.test, batch_size))
        counted = {"right": int(measured.robust.sum()), "total": len(measured.robust)}
        files.write_json(cache, {"threat_model": repr(strongest.threat_model), **counted})
    return {**report_of(folder), "strongest": json.loads(cache.read_text(encoding="utf-8"))}


def table(results):
    """A Markdown table with a row for each gin file, means and standard deviations over its runs.

    Args:
        results: gin file -> list of what `judge_run` returned, or an empty list where nothing was run.
    """
    lines = [
        "| gin file | method | runs | clean | PGD-20 | strongest | ms a step |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for gin, reports in sorted(results.items()):
        link = f"[{pathlib.Path(gin).stem}]({gin})"
        if not reports:
            lines.append(f"| {link} | | 0 | not run | not run | not run | not run |")
            continue
        cells = [
            _percent([_share(r[key]) for r in reports]) for key in ("clean", "robust", "strongest")
        ]
        steps = [1000 * r["step_seconds"] for r in reports if r["step_seconds"]]
        time = f"{statistics.median(steps):.0f}" if steps else "not measured"
        lines.append(
            f"| {link} | {reports[0]['method']} | {len(reports)} | {' | '.join(cells)} | {time} |"
        )
    return "\n".join(lines)


def _share(counted):
    return 100 * counted["right"] / counted["total"]


def _percent(values):
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def threat_model_of(report):
    """The threat model that a report was made under, for Linf."""
    epsilon = report["threat_model"].removeprefix("Linf(epsilon=").removesuffix(")")
    return Linf(epsilon.strip("'"))
