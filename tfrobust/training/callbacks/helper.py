"""Trains the helper of HAT before the run's first step."""

from collections.abc import Callable
from typing import Any

import keras

from tfrobust.errors import UserError
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.natural import Natural
from tfrobust.ops.numbers import integer
from tfrobust.ops.schedules import Schedule
from tfrobust.training.optimizers.learning_rate import make_learning_rate


class TrainHelper(keras.callbacks.Callback):
    """Trains the method's `helper` naturally, on the run's training data, before the run's first step.

    Use it in `tfrobust.training.train` with an untrained helper, where there is no naturally
    trained classifier yet. It happens once: a run that is resumed has the helper's weights in its
    checkpoint. A signal to stop that arrives during this training takes effect when it has ended.

    Args:
        optimizer: function of `learning_rate` that returns a Keras optimizer.
        learning_rate: number, `Schedule` of epochs, or function of `epochs` such as `one_cycle`.
        epochs: passes over the training split, at least 1.

    Raises:
        UserError: if the method has no helper.

    Example:
    >>> train_helper = tfrobust.training.TrainHelper(tfrobust.training.CoupledSGD, 0.1, epochs=20)
    >>> train_helper.get_state()
    {'trained': False}

    Reference: see `HAT`. The reference code keeps the epoch of the best accuracy, this class the last epoch.
    """

    name = "train_helper"

    def __init__(
        self,
        optimizer: Callable[..., keras.Optimizer],
        learning_rate: float | Schedule | Callable[..., Any],
        epochs: int,
    ) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = integer(epochs, "epochs", 1)
        self.trained = False
        self._epochs = self.epochs
        self._experiment: Any = None

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        if not isinstance(model, AdversarialModel) or "helper" not in model.settings:
            raise UserError(
                "`TrainHelper` trains the `helper` of a method such as HAT. "
                f"Received: {type(model).__name__}, which has none."
            )

    def set_experiment(self, experiment: Any) -> None:
        """Called by `train`: where the data comes from, and how long the run is."""
        self._experiment = experiment
        self._epochs = max(1, experiment.shorten(self.epochs))
        self._optimizer()  # may raise, before anything is written

    def _optimizer(self):
        steps = self._experiment.steps_per_epoch * self._epochs / self.epochs
        rate = make_learning_rate(self.learning_rate, self.epochs, steps)
        made = self.optimizer(learning_rate=rate) if callable(self.optimizer) else self.optimizer
        if made is self.optimizer or not isinstance(made, keras.Optimizer):
            raise UserError(
                "`optimizer` of TrainHelper must be a function of `learning_rate` that returns a Keras "
                f"optimizer, such as @training.CoupledSGD. Received: {self.optimizer!r}."
            )
        return made

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Not earlier: only by now a run that is resumed has its state back.
        if self.trained:
            return
        self.trained = True
        experiment, helper = self._experiment, self.model.helper
        helper.trainable = True
        try:
            method = Natural(helper, seed=experiment.seed)
            method.compile(self._optimizer())
            logs = method.fit(
                experiment.training_dataset(epochs=self._epochs),
                steps_per_epoch=experiment.steps_per_epoch,
                epochs=self._epochs,
                verbose=0,
            ).history
        finally:
            helper.trainable = False
        print(f"Helper: {self._epochs} epochs, training accuracy {logs['accuracy'][-1]:.4f}.")

    def get_state(self) -> Any:
        return {"trained": self.trained}

    def set_state(self, value: Any) -> None:
        self.trained = value["trained"]
