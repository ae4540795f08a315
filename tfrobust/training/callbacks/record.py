"""Writes the numbers of every epoch to files."""

import statistics
import time
from typing import Any

import keras

from tfrobust.training.callbacks.metrics_log import MetricsLog
from tfrobust.training.callbacks.progress import sort_logs


class RecordMetrics(keras.callbacks.Callback):
    """Adds a row for each epoch to `metrics.csv` and `metrics.jsonl`, and counts the seconds of training.

    Args:
        log: `MetricsLog`; None for a worker that does not write.
    """

    def __init__(self, log: MetricsLog | None) -> None:
        super().__init__()
        self.log = log
        self.seconds = 0.0
        self._began = self._step_began = time.monotonic()
        self._steps: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._step_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._steps.append(time.monotonic() - self._step_began)

    def step_seconds(self) -> float | None:
        """Median seconds of a training step of this process, None if it made none."""
        return statistics.median(self._steps) if self._steps else None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds += time.monotonic() - self._began
        if self.log is None:
            return
        rate = float(self.model.optimizer.learning_rate)
        self.log.append({"epoch": epoch, **sort_logs(logs or {}), "learning_rate": rate})

    def get_state(self) -> Any:
        return {"seconds": self.seconds}

    def set_state(self, value: Any) -> None:
        self.seconds = value["seconds"]
