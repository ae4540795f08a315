"""An exponential moving average as a part of the training step."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf


class AverageInStep:
    """Averages inside the training step: for `EMA` where Keras runs several steps in one execution.

    Args:
        variables: of the model, which are averaged.
        decay: the largest weight of the old mean.
    """

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        self.variables = variables
        self.decay = decay
        self.means = [tf.Variable(tf.convert_to_tensor(v), trainable=False) for v in variables]
        self.count = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.begun = tf.Variable(False, trainable=False)

    def begin(self, values: Iterable[Any], count: int) -> list[tf.Variable]:
        """Starts averaging from these values, after a number of steps."""
        for mean, value in zip(self.means, values, strict=True):
            mean.assign(value)
        self.count.assign(count)
        self.begun.assign(True)
        return self.means

    def enter(self, model: keras.Model) -> None:
        """Adds the averaging to the model's training step."""
        step = model.train_step

        def averaged(data):
            logs = step(data)
            count = tf.cast(self.count, tf.float64)
            decay = tf.minimum(tf.constant(self.decay, tf.float64), (1.0 + count) / (10.0 + count))
            decay = tf.where(self.begun, tf.cast(decay, tf.float32), 0.0)
            for mean, variable in zip(self.means, self.variables, strict=True):
                live = tf.convert_to_tensor(variable)
                share = tf.cast(decay, live.dtype)
                mean.assign(share * mean + (1.0 - share) * live)
            self.count.assign_add(tf.cast(self.begun, tf.int64))
            return logs

        model.train_step = averaged
        model.make_train_function(force=True)

    def leave(self, model: keras.Model) -> None:
        """Removes the averaging from the model's training step."""
        del model.train_step
        model.train_function = None
