"""Averages of weights along a run, with which it is validated, chosen, tested and exported."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer, number
from tfrobust.runs.variables import list_copies
from tfrobust.training.callbacks.average_in_step import AverageInStep
from tfrobust.training.callbacks.recompute import (
    find_normalizing_layers,
    find_running_statistics,
    recompute_statistics,
)


class WeightAveraging(keras.callbacks.Callback):
    """Base of the averages: the model has the averaged weights from validation to the next step.

    Validation, the choice of the best epoch and everything else at an epoch's end sees the average,
    and `fit` ends with it; training continues with its own weights. The weights that the model does
    not have are kept here, and in the checkpoints of a run.
    """

    name = "averaging"

    def __init__(self) -> None:
        super().__init__()
        self.shown = False
        self.count = 0
        self._epoch = 0
        self._others: list[tf.Variable] = []

    def list_exchanged(self) -> list[Any]:
        """The model's variables that are exchanged, a list."""
        return self.classifier().trainable_variables

    def collect(self) -> bool:
        """Makes the average ready to be seen; returns whether there is one."""
        return bool(self._others)

    def classifier(self) -> keras.Model:
        """The classifier of a method, or the model itself."""
        return getattr(self.model, "classifier", self.model)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.shown:
            self._exchange()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._show()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._show()  # where there was no validation

    def get_state(self) -> Any:
        return {"shown": self.shown, "count": self.count}

    def set_state(self, value: Any) -> None:
        self.shown, self.count = value["shown"], value["count"]

    def get_arrays(self) -> dict[str, np.ndarray]:
        return {f"{i:04d}": variable.numpy() for i, variable in enumerate(self._others)}

    def set_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        self._keep(arrays[name] for name in sorted(arrays))

    def _keep(self, values):
        self._others = [tf.Variable(value, trainable=False) for value in values]

    def _show(self):
        if not self.shown and self.collect():
            self._exchange()
            self.prepare()

    def prepare(self) -> None:
        """Called when the model has just got the average."""

    def _exchange(self):
        for variable, other in zip(self.list_exchanged(), self._others, strict=True):
            former = variable.numpy()
            for copy in list_copies(variable):
                copy.assign(other)
            other.assign(former)
        self.shown = not self.shown


class SWA(WeightAveraging):
    """Stochastic weight averaging: the mean of the weights at the ends of epochs, from one epoch on.

    w_swa <- (n w_swa + w) / (n + 1), and BatchNormalization's statistics by a pass over the clean
    training data, augmented as in training, at every epoch's end.

    Use it with any method against robust overfitting, from about the epoch where the learning rate first
    falls. It costs a forward pass over the training data an epoch.

    Args:
        start: epochs before the first one that counts, at least 0.
        data: finite dataset of images and labels for the statistics; `training.train` gives the
            run's own. Not needed without BatchNormalization.

    Raises:
        UserError: when training begins, if there is no data for the statistics.

    Example:
    >>> swa = tfrobust.training.SWA(start=75)  # method.fit(..., callbacks=[swa])
    >>> swa.get_state()
    {'shown': False, 'count': 0}

    Reference: Izmailov et al., 2018; for robust training Chen et al., "Robust Overfitting May Be
    Mitigated by Properly Learned Smoothening", 2021.
    """

    name = "swa"

    def __init__(self, start: int, data: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.start = integer(start, "start", 0)
        self.data = data
        self._experiment = None

    def set_experiment(self, experiment: Any) -> None:
        """Called by `train`: where the data comes from, and how long the run is."""
        self._experiment = experiment
        self.start = experiment.shorten(self.start)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        nothing = self.data is None and self._experiment is None
        if nothing and find_normalizing_layers(self.classifier()):
            raise UserError(
                "`SWA` recomputes BatchNormalization's statistics and needs the training images for it. "
                "Give them as `data`, a dataset of batches."
            )

    def list_exchanged(self) -> list[Any]:
        return [*super().list_exchanged(), *find_running_statistics(self.classifier())]

    def collect(self) -> bool:
        if self._epoch < self.start:
            return False
        live = [tf.convert_to_tensor(v) for v in self.list_exchanged()]
        if not self._others:
            self._keep(live)
        share = 1.0 / (self.count + 1)
        for mean, value in zip(self._others, live, strict=True):
            mean.assign(mean * (1.0 - share) + value * share)
        self.count += 1
        return True

    def prepare(self) -> None:
        data: Any = self.data
        if data is None and self._experiment is not None:
            data = self._experiment.training_dataset(self._epoch, epochs=self._epoch + 1)
        recompute_statistics(self.classifier(), data, self.model.distribute_strategy)


class EMA(WeightAveraging):
    """Exponential moving average of the weights over the steps; BatchNormalization's are the model's own.

    w_ema <- t w_ema + (1 - t) w after every step, t = min(decay, (1 + d) / (10 + d)), with d the
    steps since the warm-up, until whose end w_ema is w.

    Use it with any method, mostly on long runs with much data; it costs nothing but memory.

    Args:
        decay: the largest t, in [0, 1).
        warm_up: epochs before averaging begins, at least 0; 2.5 % of the run in the reference.

    Raises:
        UserError: for settings outside of these ranges.

    Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse", run_eagerly=True)
    >>> ema = tfrobust.training.EMA(decay=0.9)
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=2, verbose=0, callbacks=[ema])
    >>> ema.get_state()
    {'shown': True, 'count': 2}

    Reference: Rade and Moosavi-Dezfooli, 2022, and Pang et al., 2022, code; Gowal et al., 2020.
    """

    name = "ema"

    def __init__(self, decay: float = 0.995, warm_up: int = 0) -> None:
        super().__init__()
        self.decay = number(decay, "decay", 0.0, 1.0 - 1e-9)
        self.warm_up = integer(warm_up, "warm_up", 0)
        self._update: Any = None
        self._inside: AverageInStep | None = None

    def set_experiment(self, experiment: Any) -> None:
        """Called by `train`: how long the run is."""
        self.warm_up = experiment.shorten(self.warm_up)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        # A callback is called once for all the steps of an execution: then the step itself averages.
        if self.model.steps_per_execution > 1 and self._inside is None:
            self._inside = AverageInStep(self.list_exchanged(), self.decay)
            self._inside.enter(self.model)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._inside is not None:
            self._inside.leave(self.model)
            self._inside = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_train_batch_begin(batch, logs)
        if not self._others and self._epoch >= self.warm_up:
            self._keep(tf.convert_to_tensor(v) for v in self.list_exchanged())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._others and self._inside is not None:
            self.count = int(self._inside.count.numpy())
        elif self._others:
            decay = min(self.decay, (1.0 + self.count) / (10.0 + self.count))
            self._update(tf.constant(decay))
            self.count += 1

    def _keep(self, values):
        if self._inside is not None:
            self._others = self._inside.begin(values, self.count)
            return
        super()._keep(values)

        def update(decay):
            for mean, variable in zip(self._others, self.list_exchanged(), strict=True):
                mean.assign(decay * mean + (1.0 - decay) * tf.convert_to_tensor(variable))

        self._update = tf.function(update, autograph=False)
