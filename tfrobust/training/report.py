"""`report.md` and `report.json`: what came out of a run, and how."""

from typing import Any

from tfrobust.attacks.base import Attack
from tfrobust.comparison.verdicts import TEST_TABLE, write_test
from tfrobust.evaluation.accuracy import Measured
from tfrobust.evaluation.reports.headline import describe_change
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.runs import files
from tfrobust.runs.markdown import plain
from tfrobust.runs.workspace import Workspace
from tfrobust.spec import as_config
from tfrobust.training.callbacks.keep import KeepBest
from tfrobust.training.callbacks.record import RecordMetrics
from tfrobust.training.experiment import Experiment

_CHOICE = {
    "best_robust": "the highest validation accuracy under the evaluation attack",
    "best_clean": "the highest validation accuracy",
    "last": "the last one",
}


def write_report(
    workspace: Workspace,
    experiment: Experiment,
    measured: Measured,
    best: dict[str, Any],
    rule: str,
    metrics: RecordMetrics,
    test_seconds: float,
) -> str:
    """Writes `test_examples.csv`, `report.json`, then `report.md`, and returns the text of the last.

    Args:
        workspace: `Workspace` of the run.
        experiment: `experiment.Experiment`.
        measured: `Measured` test accuracies.
        best: state of the checkpoint that was judged: its 0-based "epoch" and the rule's "value".
        rule: name of the checkpoint rule.
        metrics: `RecordMetrics`, which knows how long training took.
        test_seconds: how long the test took.
    """
    splits, method, attack = experiment.splits, experiment.method, experiment.test_attack
    result = {
        "method": type(method).__name__,
        "data": splits.info.name,
        "gin_files": list(experiment.gin_files),
        "gin_bindings": list(experiment.gin_bindings),
        "threat_model": repr(attack.threat_model),
        "test_attack": repr(attack),
        "described": {"method": method.describe(), "test_attack": describe_attack(attack)},
        "clean": _count(measured.clean),
        "robust": _count(measured.robust),
        "checkpoint": {"rule": rule, "epoch": best["epoch"] + 1, "value": best["value"]},
        "epochs": experiment.epochs,
        "seed": experiment.seed,
        "training_seconds": round(metrics.seconds, 1),
        "step_seconds": metrics.step_seconds(),
        "test_seconds": round(test_seconds, 1),
    }
    shortened = ""
    if experiment.pace > 1.0:
        result["shortened_from"] = round(experiment.epochs * experiment.pace)
        shortened = f", shortened from {result['shortened_from']}"
    monitor = KeepBest.RULES[rule]
    value = (
        f" ({monitor} {best['value']:.4f} on {len(splits.validation)} images)" if monitor else ""
    )
    text = f"""# {plain(method.describe())} on {plain(result["data"])}

{_explain(result, splits.info, attack.threat_model)}

| on the test split | accuracy | 95 % interval | right / all |
| --- | --- | --- | --- |
{_format_row("clean", result["clean"])}
{_format_row("under the test attack", result["robust"])}

- Test attack: {plain(describe_attack(attack))}. Each image that it found was checked by a fresh forward \
pass in inference mode, and so were its distance and its pixel range. Intervals are Wilson's.
- Trained {_describe_training(method)}.
- Checkpoint: epoch {best["epoch"] + 1} of {experiment.epochs}{shortened}, {_CHOICE[rule]}{value}. \
The test split was not used for the choice.
- Training: {metrics.seconds:.0f} s; test: {test_seconds:.0f} s. Seed {experiment.seed}.
- Data: {len(splits.train)} training, {len(splits.validation)} validation, {len(splits.test)} test images.
- Configuration: `config.gin` as given, `config_used.gin` with every value used. Versions, devices and \
commands: `run.json`. Numbers of every epoch: `metrics.csv`. A row for each test image: \
`test_examples.csv`. The classifier: `export/`.
"""
    write_test(workspace.path / TEST_TABLE, splits.test.ids, measured.clean, measured.robust)
    files.write_json(workspace.path / "report.json", result)
    files.write_text(workspace.report, text)
    return text


def _describe_training(method):
    """Under which attack, and with what more, in words."""
    attack = method.attack
    under = "without an attack" if attack is None else f"under {plain(describe_attack(attack))}"
    return "; with ".join([under, *(plain(part.describe()) for part in method.list_additions())])


def describe_attack(attack: Attack) -> str:
    """Settings and threat model of an attack in training, of a plan and of a report alike."""
    return f"{attack.describe()}, within {attack.threat_model.describe()}"


def _explain(result, info, threat_model):
    """Three sentences for readers who don't know the field."""
    clean, robust = result["clean"], result["robust"]
    change = describe_change(type(threat_model).__name__, as_config(threat_model.epsilon))
    return (
        f"This classifier tells {info.num_classes} classes of {plain(info.name)} apart. It recognises "
        f"{_share(clean)} of {clean['total']} test images as they are, and {_share(robust)} still when an "
        f"adversary changes each of them {change}. The attack of this test is a short one, so that "
        "the number is no estimate of robustness: `tfrobust evaluate` makes one."
    )


def _share(counted):
    return f"{counted['right']} ({100 * counted['right'] / counted['total']:.2f} %)"


def _count(flags):
    right, total = int(flags.sum()), len(flags)
    return {"right": right, "total": total, "interval": list(binomial_interval(right, total))}


def _format_row(name, counted):
    low, high = counted["interval"]
    accuracy = counted["right"] / counted["total"]
    return (
        f"| {name} | {100 * accuracy:.2f} % | {100 * low:.2f} to {100 * high:.2f} % "
        f"| {counted['right']} / {counted['total']} |"
    )
