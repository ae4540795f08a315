"""Lowers the learning rate, and ends training, when validation no longer improves."""

from typing import Any

import keras

from tfrobust.errors import UserError
from tfrobust.methods.update import unwrap
from tfrobust.ops.numbers import integer, number


class Plateau(keras.callbacks.Callback):
    """Divides the learning rate after epochs without improvement, and stops after more of them.

    The rule of ATLAS: the rate is divided by 5 whenever validation robust accuracy has not risen above its
    best for 2 consecutive epochs (counted anew from each division), and training ends once it has
    not for 10. An accuracy that is equal to the best is no improvement.

    Use it where the length of a run is not known beforehand. `tfrobust.training.train` restores its state
    after an interruption; elsewhere use `get_state` and `set_state` (the rate is one of the optimizer's
    variables).

    Args:
        after: epochs that are not counted, at least 0: the length of a ramp of epsilon, during which the
            numbers of different epochs mean different things.
        patience: epochs without improvement after which the rate falls, at least 1.
        divisor: the rate is divided by it, above 1.
        stop_after: epochs without improvement after which training stops, at least 1.
        monitor: name in the logs of the number that should rise.

    Raises:
        UserError: for settings outside of these ranges; for an optimizer whose rate is a schedule; at an
            epoch's end for logs without `monitor`.

    Example:
    >>> plateau = tfrobust.training.Plateau(after=15, patience=2)
    >>> plateau.get_state()
    {'best': None, 'since_best': 0, 'since_change': 0}

    Reference: Lu and Kumar, ATLAS. The paper does not say that epochs of the ramp are
    not counted.
    """

    name = "plateau"

    def __init__(
        self,
        after: int = 0,
        patience: int = 2,
        divisor: float = 5.0,
        stop_after: int = 10,
        monitor: str = "val_robust_accuracy",
    ) -> None:
        super().__init__()
        self.after = integer(after, "after", 0)
        self.patience = integer(patience, "patience", 1)
        self.divisor = number(divisor, "divisor", 1.0 + 1e-9)
        self.stop_after = integer(stop_after, "stop_after", 1)
        self.monitor = monitor
        self.best: float | None = None
        self.since_best = self.since_change = 0

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        if isinstance(unwrap(model.optimizer).get_config()["learning_rate"], dict):
            raise UserError(
                "`Plateau` sets the learning rate itself, so it must be a plain number. Received: a "
                "schedule; give training.train.learning_rate (or the optimizer) a number."
            )

    def set_experiment(self, experiment: Any) -> None:
        """Called by `train`: how long the run is."""
        self.after = experiment.shorten(self.after)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
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

    def get_state(self) -> Any:
        return {
            "best": self.best,
            "since_best": self.since_best,
            "since_change": self.since_change,
        }

    def set_state(self, value: Any) -> None:
        self.best = value["best"]
        self.since_best, self.since_change = value["since_best"], value["since_change"]


def read_monitored(callback: Any, logs: dict[str, Any] | None) -> float:
    """The number that `callback.monitor` names in an epoch's logs.

    Raises:
        UserError: it is not there.
    """
    logs = logs or {}
    if callback.monitor not in logs:
        raise UserError(
            f"`{type(callback).__name__}` watches {callback.monitor!r}, which this epoch did not report. "
            "Give the method an `eval_attack`, and `fit` validation data for each epoch. "
            f"Reported: {sorted(logs)}."
        )
    return float(logs[callback.monitor])
