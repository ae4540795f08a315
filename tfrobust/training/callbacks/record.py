"""Every epoch's numbers in files."""

import statistics
import time

import keras

from tfrobust.training.callbacks.progress import sort_logs


class RecordMetrics(keras.callbacks.Callback):
    """Adds a row for each epoch to `metrics.csv` and `metrics.jsonl`, and counts the seconds of training.

    Args:
        log: `MetricsLog`.
    """

    def __init__(self, log):
        super().__init__()
        self.log = log
        self.seconds = 0.0
        self._began = self._step_began = time.monotonic()
        self._steps = []

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        self._step_began = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self._steps.append(time.monotonic() - self._step_began)

    def step_seconds(self):
        """Median seconds of a training step of this process, None if it made none."""
        return statistics.median(self._steps) if self._steps else None

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.monotonic() - self._began
        rate = float(self.model.optimizer.learning_rate)
        self.log.append({"epoch": epoch, **sort_logs(logs or {}), "learning_rate": rate})

    def get_state(self):
        return {"seconds": self.seconds}

    def set_state(self, value):
        self.seconds = value["seconds"]
