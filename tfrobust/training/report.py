"""`report.md`: what came out of a run, and how."""

from tfrobust import files
from tfrobust.evaluation.interval import binomial_interval
from tfrobust.training.checkpointing import KeepBest

_CHOICE = {
    "best_robust": "the highest validation accuracy under the evaluation attack",
    "best_clean": "the highest validation accuracy",
    "last": "the last one",
}


def write_report(workspace, experiment, measured, best, rule, training_seconds, test_seconds):
    """Writes `report.md` and returns its text.

    Args:
        workspace: `Workspace` of the run.
        experiment: `run.Experiment`.
        measured: `Measured` test accuracies.
        best: state of the checkpoint that was judged: its 0-based "epoch" and the rule's "value".
        rule: name of the checkpoint rule.
        training_seconds, test_seconds: how long both took.
    """
    splits, method = experiment.splits, experiment.method
    monitor = KeepBest.RULES[rule]
    value = (
        f" ({monitor} {best['value']:.4f} on {len(splits.validation)} images)" if monitor else ""
    )
    text = f"""# {type(method).__name__} on {splits.info.name}

| on the test split | accuracy | 95 % interval | right / all |
| --- | --- | --- | --- |
{_row("clean", measured.clean)}
{_row("under the test attack", measured.robust)}

- Test attack: `{experiment.test_attack!r}`. Counted after a fresh forward pass, in inference mode,
  with the distance and the pixel box of every image checked. Intervals are Wilson's.
- Checkpoint: epoch {best["epoch"] + 1} of {experiment.epochs}, {_CHOICE[rule]}{value}.
  The test split had no part in the choice.
- Training: {training_seconds:.0f} s; test: {test_seconds:.0f} s. Seed {experiment.seed}.
- Data: {len(splits.train)} training, {len(splits.validation)} validation, {len(splits.test)} test images.
- Configuration: `config.gin` as given, `config_used.gin` with every value used. Versions, devices and
  commands: `run.json`. Numbers of every epoch: `metrics.csv`. The classifier: `export/`.
"""
    files.write_text(workspace.report, text)
    return text


def _row(name, flags):
    right, total = int(flags.sum()), len(flags)
    low, high = binomial_interval(right, total)
    return (
        f"| {name} | {100 * right / total:.2f} % | {100 * low:.2f} to {100 * high:.2f} % "
        f"| {right} / {total} |"
    )
