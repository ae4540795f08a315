"""Learning rates that are written in epochs."""

import keras
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import PiecewiseLinear, Schedule
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


def one_cycle(epochs, peak, start=0.0, rise=0.4, hold=0.0):
    """A learning rate that rises to its peak, stays, and falls to zero at the end, in straight lines.

    Use it where the length of the run may change: the corners are fractions of it. The defaults are the
    cyclic rate of Wong et al. 2020 on MNIST.

    Args:
        epochs: length of the run; `train` fills it in.
        peak: largest rate.
        start: first rate, as a fraction of the peak, in [0, 1].
        rise, hold: fractions of the run in which it rises and stays; together less than 1.

    Returns:
        A `PiecewiseLinear` schedule.

    Raises:
        UserError: for fractions that are none, or leave nothing for the fall.
    """
    peak, start = number(peak, "peak", 0.0), number(start, "start", 0.0, 1.0)
    rise, hold = number(rise, "rise", 0.0, 0.999), number(hold, "hold", 0.0, 0.999)
    if rise + hold >= 1.0:
        raise UserError(
            f"`rise` and `hold` must leave room for the fall. Received: rise={rise}, hold={hold}."
        )
    corners = {
        0.0: start * peak,
        rise * epochs: peak,
        (rise + hold) * epochs: peak,
        float(epochs): 0.0,
    }
    return PiecewiseLinear(tuple(corners), tuple(corners.values()))


def make_learning_rate(value, epochs, steps_per_epoch):
    """What a Keras optimizer takes: a number as it is, a schedule of epochs as one of steps.

    Args:
        value: number, `Schedule`, or function of the run's `epochs` that returns one of these.
        epochs: length of the run.
        steps_per_epoch: whole number, at least 1.

    Raises:
        UserError: it is none of these.
    """
    if callable(value) and not isinstance(value, Schedule):
        value = value(epochs=epochs)
    if isinstance(value, Schedule):
        return EpochLearningRate(value, steps_per_epoch)
    return number(value, "learning_rate", 0.0)
