"""Training ends where one-step training overfits to its step, at the weights from before."""

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
    weights count. It survives an interruption as `Plateau` does; the weights from before are kept
    with the checkpoint.

    Args:
        fall: in units of accuracy, in (0, 1).
        monitor: name in the logs of the accuracy.

    Raises:
        UserError: for settings outside of this; at an epoch's end for logs without `monitor`.

    Reference: Wong, Rice, Kolter, "Fast is better than free", 2020, code: PGD-5 on the first batch of the
    training set decides there. Here it is the validation's robust accuracy, which is computed anyway, on
    more images, with the same noise every time.
    """

    name = "stop_at_collapse"

    def __init__(self, fall=0.2, monitor="val_robust_accuracy"):
        super().__init__()
        self.fall = number(fall, "fall", 1e-9, 1.0)
        self.monitor = monitor
        self.before = None
        self._weights = {}

    def on_epoch_end(self, epoch, logs=None):
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

    def get_state(self):
        return {"before": self.before}

    def set_state(self, value):
        self.before = value["before"]

    def get_arrays(self):
        return self._weights

    def set_arrays(self, arrays):
        self._weights = arrays
