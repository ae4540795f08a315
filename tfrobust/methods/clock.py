"""Where training is in time: a state of the method, saved with it."""

from typing import Any

import keras
import tensorflow as tf


class Clock:
    """Counts steps and epochs. Its variables are the method's own, so that every file keeps them.

    epoch = epochs + (steps - first) / (steps_per_epoch * updates_per_step)

    An epoch of `fit` counts as one, however many steps it had; within it the steps tell how far it is.
    Neither `compile` nor another optimizer sets it back.

    Args:
        method: `ClassifierWrapper`, to which the variables belong.

    Attributes:
        steps: int64 variable, the steps so far (of `Free`, each replay); it names the noise of a step.
        epochs: float32 variable, epochs that had passed when the present one began.
        first: int64 variable, `steps` at that moment.
        length: float32 variable, training steps of an epoch, 0 where it is not known.
        pace: how many epochs of schedules pass in one of `fit`: more than 1 in a run that is shortened.
    """

    def __init__(self, method: keras.Model) -> None:
        def variable(name: str, dtype: str) -> keras.Variable:
            return method.add_weight(name=name, initializer="zeros", dtype=dtype, trainable=False)

        self.steps = variable("steps", "int64")
        self.epochs = variable("epochs", "float32")
        self.first = variable("first_step_of_epoch", "int64")
        self.length = variable("steps_per_epoch", "float32")
        self.pace = 1.0
        self._method = method

    def epoch(self) -> tf.Tensor:
        """Epochs of schedules that have passed, a float32 scalar that grows with every step."""
        passed = self._count_passed()
        return passed if self.pace == 1.0 else self.pace * passed

    def _count_passed(self):
        steps, first, epochs, length = (
            tf.convert_to_tensor(v) for v in (self.steps, self.first, self.epochs, self.length)
        )
        length *= self._method.updates_per_step
        # Sums of whole numbers are exact: the only rounding is that of the division.
        passed = (epochs * length + tf.cast(steps - first, tf.float32)) / tf.maximum(length, 1.0)
        return tf.where(length > 0.0, passed, epochs)

    def tick(self) -> tf.Tensor:
        """The number of this step, an int64 scalar from 0 on; called once in each."""
        number = tf.identity(tf.convert_to_tensor(self.steps))
        self.steps.assign(number + 1)
        return number

    def set_length(self, steps: int) -> None:
        """From now on an epoch has `steps` training steps; what has passed stays what it was."""
        self.begin_at(self._count_passed())
        self.length.assign(float(steps))

    def begin_at(self, epochs: float | tf.Tensor) -> None:
        """So many epochs have passed now."""
        self.epochs.assign(epochs)
        self.first.assign(self.steps)


class CountEpochs(keras.callbacks.Callback):
    """Tells a `Clock` where an epoch of `fit` begins and ends; the first of all callbacks."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.clock.begin_at(self.clock.epochs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.clock.begin_at(self.clock.epochs + 1.0)


def put_first(callback: keras.callbacks.Callback, callbacks: Any) -> Any:
    """Keras's `callbacks` argument, a callback, a list, a `CallbackList` or None, with one before all."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        others = [c for c in callbacks.callbacks if type(c) is not type(callback)]
        callback.set_model(callbacks.model)
        callbacks.callbacks = [callback, *others]
        return callbacks
    return [callback, *keras.tree.flatten(callbacks or [])]
