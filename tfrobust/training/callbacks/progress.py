"""Progress of a run on a terminal, in a notebook or in a log."""

import sys
import time
from typing import Any, TextIO

import keras

from tfrobust.runs.bar import Bar


class Progress(keras.callbacks.Callback):
    """A bar over the whole run where there is a terminal or a notebook, and a line for each epoch.

    Args:
        epochs: of the whole run.
        steps_per_epoch: steps of a whole epoch.
        stream: where to write; standard output by default.
    """

    def __init__(self, epochs: int, steps_per_epoch: int, stream: TextIO | None = None) -> None:
        super().__init__()
        self.epochs = epochs
        self.total = epochs * steps_per_epoch
        self._bar = Bar(stream or sys.stdout)
        self._began = self._epoch_began = 0.0
        self._first = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._began, self._first = time.monotonic(), self._step()
        self._bar.begin(f"{self.epochs} epochs", self._first / self.total)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._bar.is_shown:
            self._bar.show(self._step() / self.total, f"loss {float((logs or {})['loss']):.4f}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in sort_logs(logs or {}).items())
        seconds = time.monotonic() - self._epoch_began
        left = write_clock(self._left())
        self._bar.write(f"epoch {epoch + 1}/{self.epochs}  {seconds:.1f}s  {numbers}  ETA {left}")

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


def write_clock(seconds: float) -> str:
    """Seconds as minutes and seconds, 1:05, or with hours, 1:01:05."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
