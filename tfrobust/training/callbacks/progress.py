"""Progress of a run on a terminal, in a notebook or in a log."""

import sys
import time
from typing import Any, TextIO

import keras

from tfrobust.runs.bar import Bar

WIDTH = 100
"""Columns that an epoch's line may take; fewer in a terminal that has fewer."""

# Seconds that validation may take without a word.
_PATIENCE = 10.0
# What a line tells first where not all fits; the rest is in metrics.csv.
_FIRST = ("val_robust_accuracy", "val_accuracy", "loss", "accuracy", "adversarial_accuracy")


class Progress(keras.callbacks.Callback):
    """A bar over the whole run where there is a terminal or a notebook, and a line for each epoch.

    Args:
        epochs: of the whole run.
        steps_per_epoch: steps of a whole epoch.
        stream: where to write; standard output by default.
        validation_batches: of one validation, of which the bar tells once it takes longer than 10 s.
    """

    def __init__(
        self,
        epochs: int,
        steps_per_epoch: int,
        stream: TextIO | None = None,
        validation_batches: int | None = None,
    ) -> None:
        super().__init__()
        self.epochs = epochs
        self.total = epochs * steps_per_epoch
        self._bar = Bar(stream or sys.stdout)
        self._began = self._epoch_began = 0.0
        self._first = 0
        self.validation_batches = validation_batches
        self._test_began = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._began, self._first = time.monotonic(), self._step()
        self._bar.begin(f"{self.epochs} epochs", self._first / self.total)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._bar.is_shown:
            self._bar.show(self._step() / self.total, f"loss {float((logs or {})['loss']):.4f}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        seconds = time.monotonic() - self._epoch_began
        begin = f"epoch {epoch + 1}/{self.epochs}  {seconds:.1f}s"
        # A bar tells the time that is left, too.
        end = "" if self._bar.is_shown else f"ETA {write_clock(self._left())}"
        columns = min(WIDTH, self._bar.columns or WIDTH)
        self._bar.write(fit_line(begin, sort_logs(logs or {}), end, columns))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._test_began = time.monotonic()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._bar.is_shown and time.monotonic() - self._test_began > _PATIENCE:
            of = f" of {self.validation_batches}" if self.validation_batches else ""
            self._bar.show(self._step() / self.total, f"validation, batch {batch + 1}{of}")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._bar.close()

    def _step(self):
        updates = int(self.model.optimizer.iterations.numpy())
        return updates // self.model.updates_per_step

    def _left(self):
        step = self._step()
        passed = time.monotonic() - self._began
        return passed / max(step - self._first, 1) * (self.total - step)


def sort_logs(logs: dict[str, Any]) -> dict[str, float]:
    """An epoch's numbers as floats: the loss first, then its parts, validation last."""
    order = sorted(logs, key=lambda name: (name.startswith("val_"), name != "loss", name))
    return {name: float(logs[name]) for name in order}


def fit_line(begin: str, numbers: dict[str, float], end: str = "", columns: int = WIDTH) -> str:
    """An epoch's line: as many numbers, the most important ones first, as fit.

    Args:
        begin, end: what always stands there.
        numbers: name -> value, in the order in which they are written.
        columns: that the line may take.

    Example:
    >>> from tfrobust.training.callbacks.progress import fit_line
    >>> fit_line("epoch 1/2  3.0s", {"loss": 0.5, "accuracy": 0.25}, "ETA 0:03")
    'epoch 1/2  3.0s  loss 0.5000  accuracy 0.2500  ETA 0:03'
    """
    texts = {name: f"{name} {value:.4f}" for name, value in numbers.items()}
    room, shown = columns - len(begin) - (len(end) + 2 if end else 0), set()
    for name in [*(n for n in _FIRST if n in texts), *(n for n in texts if n not in _FIRST)]:
        if len(texts[name]) + 2 <= room:
            room -= len(texts[name]) + 2
            shown.add(name)
    chosen = [text for name, text in texts.items() if name in shown]
    return "  ".join([begin, *chosen, *([end] if end else [])])


def write_clock(seconds: float) -> str:
    """Seconds as minutes and seconds, 1:05, or with hours, 1:01:05."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
