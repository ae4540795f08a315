"""What the log of the training says about the classifier that came out of it: C21."""

import json
import pathlib

from tfrobust.evaluation.checks.answers import percent
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.thresholds import Thresholds

_CLEAN, _ROBUST, _JACOBIAN = "val_accuracy", "val_robust_accuracy", "jacobian"


def run_findings(folder, thresholds=None):
    """C21: whether one-step training overfitted to its step, and what the last values were.

    Training collapsed in an epoch whose validation accuracy under attack is more than `collapse_fall`
    below the best one before, while clean accuracy fell by less than half of that.

    Args:
        folder: of the run that the classifier comes from, or None.
        thresholds: `Thresholds`; the default ones if None.

    Returns:
        A tuple of one `Finding`, or an empty one without a run whose log has both accuracies: a
        warning if the classifier is from after the collapse, a remark if it is from before.

    Reference: Lu and Kumar, ATLAS, for the sign.
    """
    limits = thresholds or Thresholds()
    epochs, checkpoint = _read(folder)
    if not epochs:
        return ()
    collapsed = _collapse(epochs, limits.collapse_fall)
    at = epochs[min(checkpoint, len(epochs)) - 1]
    text = (
        f"After epoch {checkpoint} of {len(epochs)}, from which the classifier is, the validation accuracy "
        f"was {percent(at[_CLEAN])}, and {percent(at[_ROBUST])} under attack."
    )
    if _JACOBIAN in at:
        text += f" The mean squared Jacobian norm was {at[_JACOBIAN]:.3g}."
    if collapsed is None:
        largest = max(fall for _, fall, _ in _falls(epochs))
        return (_finding("passed", largest, limits, text),)
    number, fall = collapsed
    told = (
        f"Up to epoch {number} the validation accuracy under attack fell by {percent(fall)} while the clean "
        f"one did not: training overfitted to its attack. {text}"
    )
    if checkpoint < number:
        return (_finding("info", fall, limits, told),)
    advice = "Take one from before, with training.train.checkpoint_rule = 'best_robust'."
    return (_finding("warning", fall, limits, f"{told} {advice}"),)


def _finding(level, fall, limits, text):
    return Finding("C21", "training log", level, fall, limits.collapse_fall, text)


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


def _falls(epochs):
    """For each epoch: its number, how far it is below the best one before, the same of clean accuracy."""
    best = epochs[0]
    for number, row in enumerate(epochs, 1):
        yield number, best[_ROBUST] - row[_ROBUST], best[_CLEAN] - row[_CLEAN]
        best = max(best, row, key=lambda e: e[_ROBUST])


def _collapse(epochs, least):
    """The first epoch that fell by more than `least`, and by how much; None if there is none."""
    falls = ((n, fall) for n, fall, clean in _falls(epochs) if fall > least and clean < fall / 2)
    return next(falls, None)
