"""Stops one-step training when it overfits to its step, and restores the weights from before."""

from typing import Any

import keras
import numpy as np

from tfrobust.ops.numbers import number
from tfrobust.training.callbacks.plateau import read_monitored


class StopAtCollapse(keras.callbacks.Callback):
    """Stops when robust accuracy falls steeply from one epoch to the next, and puts the weights back.

    Catastrophic overfitting: within an epoch the accuracy under PGD goes to almost nothing while
    the accuracy under the training's single step rises. After an epoch whose robust accuracy is more
    than `fall` below that of the epoch before, the classifier gets the weights and statistics of
    the epoch before, and training stops.

    Use it with one-step methods, beside a checkpoint rule or in a `fit` of your own, where the last
    weights count. `train` restores its state after an interruption, as with `Plateau`; the weights of the
    epoch before are part of the checkpoint.

    Args:
        fall: in units of accuracy, in (0, 1).
        monitor: name in the logs of the accuracy.

    Raises:
        UserError: for settings outside of these ranges; at an epoch's end for logs without `monitor`.

    Example:
    >>> stop = tfrobust.training.StopAtCollapse(fall=0.1)
    >>> stop.fall, stop.monitor
    (0.1, 'val_robust_accuracy')

    Reference: Wong, Rice, Kolter, "Fast is better than free", 2020, code. There PGD-5 on the first batch of
    the training set decides. Here the robust accuracy of validation decides: it is computed anyway, on more
    images, and with the same noise every time.
    """

    name = "stop_at_collapse"

    def __init__(self, fall: float = 0.2, monitor: str = "val_robust_accuracy") -> None:
        super().__init__()
        self.fall = number(fall, "fall", 1e-9, 1.0)
        self.monitor = monitor
        self.before: float | None = None
        self._weights: dict[str, np.ndarray] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = read_monitored(self, logs)
        if self.before is not None and value < self.before - self.fall:
            print(
                f"Epoch {epoch + 1}: {self.monitor} fell from {self.before:.4f} to {value:.4f}. "
                "Stopped, with the weights of the epoch before."
            )
            self.model.stop_training = True
            for name, variable in self._variables().items():
                variable.assign(self._weights[name])
            return
        self.before = value
        self._weights = {k: np.asarray(v.numpy()) for k, v in self._variables().items()}

    def _variables(self):
        classifier = getattr(self.model, "classifier", self.model)
        return {f"{i:04d}": v for i, v in enumerate(classifier.weights)}

    def get_state(self) -> Any:
        return {"before": self.before}

    def set_state(self, value: Any) -> None:
        self.before = value["before"]

    def get_arrays(self) -> dict[str, np.ndarray]:
        return self._weights

    def set_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        self._weights = arrays
