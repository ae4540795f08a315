"""Learning rates that are written in epochs."""

import keras
import tensorflow as tf

from tfrobust.ops.schedules import Schedule
from tfrobust.spec import register


@register
class EpochLearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """A `Schedule` of epochs as Keras wants it, a function of the step.

    Args:
        schedule: `Schedule`, such as `Steps((100, 150), (0.1, 0.01, 0.001))`.
        steps_per_epoch: whole number, at least 1.
    """

    def __init__(self, schedule, steps_per_epoch):
        self.schedule = schedule
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step):
        return self.schedule(tf.cast(step, tf.float32) / self.steps_per_epoch)

    def get_config(self):
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "steps_per_epoch": self.steps_per_epoch,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


def learning_rate_of(value, steps_per_epoch):
    """What a Keras optimizer takes: the number itself, or a schedule of epochs as one of steps."""
    return EpochLearningRate(value, steps_per_epoch) if isinstance(value, Schedule) else value
