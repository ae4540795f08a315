"""What the log of the training says about the classifier that came out of it: C21."""

import json
import os
import pathlib

from tfrobust.evaluation.checks.answers import format_share
from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding

COLLAPSE = Check(
    "C21",
    "training log",
    measures="Whether validation accuracy under attack collapsed in training while clean accuracy did not.",
    why="One-step training can overfit to its own step; the classifier then resists that step only.",
    advice="Take an earlier checkpoint, with `training.train.checkpoint_rule = 'best_robust'`.",
    settings={
        "fall": Setting(0.1, "of validation accuracy under attack, below the best one before")
    },
)

_CLEAN, _ROBUST, _JACOBIAN = "val_accuracy", "val_robust_accuracy", "jacobian"


def check_training_log(
    folder: str | os.PathLike | None, limits: Limits | None = None
) -> tuple[Finding, ...]:
    """C21: whether one-step training overfitted to its step, and what the last values were.

    Training collapsed in an epoch whose validation accuracy under attack is more than `fall`
    below the best one before, while clean accuracy fell by less than half of that.

    Args:
        folder: of the run that the classifier comes from, or None.
        limits: `Limits`, by `read_limits`; the default ones if None.

    Returns:
        A tuple of one `Finding`, or an empty one without a run whose log has both accuracies: a
        warning if the classifier is from after the collapse, a note if it is from before.

    Example:
    >>> check_training_log(None)
    ()

    Reference: Lu and Kumar, ATLAS, for the sign.
    """
    limit = (limits or Limits())[COLLAPSE].fall
    epochs, checkpoint = _read(folder)
    if not epochs:
        return ()
    collapsed = _find_collapse(epochs, limit)
    at = epochs[min(checkpoint, len(epochs)) - 1]
    text = (
        f"After epoch {checkpoint} of {len(epochs)}, which the classifier comes from, the validation "
        f"accuracy was {format_share(at[_CLEAN])}, and {format_share(at[_ROBUST])} under attack."
    )
    if _JACOBIAN in at:
        text += f" The mean squared Jacobian norm was {at[_JACOBIAN]:.3g}."
    if collapsed is None:
        largest = max(fall for _, fall, _ in _list_falls(epochs))
        return (COLLAPSE.finding("passed", largest, limit, text),)
    number, fall = collapsed
    told = (
        f"Up to epoch {number} the validation accuracy under attack fell by {format_share(fall)} while "
        f"the clean one did not: training overfitted to its attack. {text}"
    )
    if checkpoint < number:
        return (COLLAPSE.finding("info", fall, limit, told),)
    advice = "Take one from before, with training.train.checkpoint_rule = 'best_robust'."
    return (COLLAPSE.finding("warning", fall, limit, f"{told} {advice}"),)


def _read(folder):
    """The epochs' numbers, and after how many epochs the classifier was taken; none without a log."""
    files = [pathlib.Path(folder or "", name) for name in ("metrics.jsonl", "report.json")]
    if folder is None or not all(file.is_file() for file in files):
        return [], 0
    log, report = (file.read_text() for file in files)
    epochs = [json.loads(line) for line in log.splitlines() if line]
    if not epochs or any(name not in row for row in epochs for name in (_CLEAN, _ROBUST)):
        return [], 0
    return epochs, json.loads(report)["checkpoint"]["epoch"]


def _list_falls(epochs):
    """For each epoch: its number, how far it is below the best one before, the same of clean accuracy."""
    best = epochs[0]
    for number, row in enumerate(epochs, 1):
        yield number, best[_ROBUST] - row[_ROBUST], best[_CLEAN] - row[_CLEAN]
        best = max(best, row, key=lambda e: e[_ROBUST])


def _find_collapse(epochs, least):
    """The first epoch that fell by more than `least`, and by how much; None if there is none."""
    falls = (
        (n, fall) for n, fall, clean in _list_falls(epochs) if fall > least and clean < fall / 2
    )
    return next(falls, None)
