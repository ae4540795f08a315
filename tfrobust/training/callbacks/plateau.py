"""The learning rate falls, and training ends, when validation no longer improves."""

import keras

from tfrobust.errors import UserError
from tfrobust.methods.update import unwrap
from tfrobust.ops.numbers import integer, number


class Plateau(keras.callbacks.Callback):
    """Divides the learning rate after epochs without improvement, and stops after more of them.

    The rule of ATLAS: the rate is divided by 5 whenever validation robust accuracy has not risen above its
    best for 2 consecutive epochs (counted anew from each division), and training ends once it has
    not for 10. An accuracy that is equal to the best is no improvement.

    Use it where the length of a run is not known beforehand. It survives an interruption: in
    `tfrobust.training.train` by itself, elsewhere by `get_state` and `set_state` (the rate is one of the
    optimizer's variables).

    Args:
        after: epochs that are not counted, at least 0: the length of a ramp of epsilon, during which the
            numbers of different epochs mean different things.
        patience: epochs without improvement after which the rate falls, at least 1.
        divisor: the rate is divided by it, above 1.
        stop_after: epochs without improvement after which training stops, at least 1.
        monitor: name in the logs of what is to rise.

    Raises:
        UserError: for settings outside of this; for an optimizer whose rate is a schedule; at an
            epoch's end for logs without `monitor`.

    Reference: Lu and Kumar, ATLAS. That the ramp is not counted is not stated there.
    """

    name = "plateau"

    def __init__(
        self, after=0, patience=2, divisor=5.0, stop_after=10, monitor="val_robust_accuracy"
    ):
        super().__init__()
        self.after = integer(after, "after", 0)
        self.patience = integer(patience, "patience", 1)
        self.divisor = number(divisor, "divisor", 1.0 + 1e-9)
        self.stop_after = integer(stop_after, "stop_after", 1)
        self.monitor = monitor
        self.best = None
        self.since_best = self.since_change = 0

    def set_model(self, model):
        super().set_model(model)
        if isinstance(unwrap(model.optimizer).get_config()["learning_rate"], dict):
            raise UserError(
                "`Plateau` sets the learning rate itself, so it must be a plain number. Received: a "
                "schedule; give training.train.learning_rate (or the optimizer) a number."
            )

    def on_epoch_end(self, epoch, logs=None):
        value = read_monitored(self, logs)
        if epoch < self.after:
            return
        if self.best is None or value > self.best:
            self.best, self.since_best, self.since_change = value, 0, 0
            return
        self.since_best += 1
        self.since_change += 1
        if self.since_best >= self.stop_after:
            self.model.stop_training = True
        elif self.since_change >= self.patience:
            self.since_change = 0
            optimizer = unwrap(self.model.optimizer)
            optimizer.learning_rate = float(optimizer.learning_rate) / self.divisor

    def get_state(self):
        return {
            "best": self.best,
            "since_best": self.since_best,
            "since_change": self.since_change,
        }

    def set_state(self, value):
        self.best = value["best"]
        self.since_best, self.since_change = value["since_best"], value["since_change"]


def read_monitored(callback, logs):
    """The number that `callback.monitor` names in an epoch's logs.

    Raises:
        UserError: it is not there.
    """
    if callback.monitor not in (logs or {}):
        raise UserError(
            f"`{type(callback).__name__}` watches {callback.monitor!r}, which this epoch did not report. "
            "Give the method an `eval_attack`, and `fit` validation data for each epoch. "
            f"Reported: {sorted(logs or {})}."
        )
    return float(logs[callback.monitor])
