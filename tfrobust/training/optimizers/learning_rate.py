"""Learning rates as functions of the epoch."""

from collections.abc import Callable
from typing import Any, Self

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
        steps_per_epoch: steps in which an epoch of the schedule passes, > 0; no whole number where a run is
            shortened.

    Example:
    >>> rate = EpochLearningRate(tfrobust.training.Steps((2,), (0.1, 0.01)), steps_per_epoch=10)
    >>> [round(float(rate(step)), 3) for step in (0, 19, 20)]
    [0.1, 0.1, 0.01]
    """

    def __init__(self, schedule: Schedule, steps_per_epoch: float) -> None:
        self.schedule = schedule
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        return self.schedule(tf.cast(step, tf.float32) / self.steps_per_epoch)

    def get_config(self) -> dict[str, Any]:
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "steps_per_epoch": self.steps_per_epoch,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


def one_cycle(
    epochs: float, peak: float, start: float = 0.0, rise: float = 0.4, hold: float = 0.0
) -> PiecewiseLinear:
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
        UserError: for numbers outside of these ranges, and fractions that leave nothing for the fall.

    Example:
    >>> rate = tfrobust.training.one_cycle(epochs=10, peak=0.2)
    >>> [round(float(rate(epoch)), 3) for epoch in (0, 4, 7, 10)]
    [0.0, 0.2, 0.1, 0.0]
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


def make_learning_rate(
    value: float | Schedule | Callable[..., Any], epochs: int, steps_per_epoch: float
) -> float | EpochLearningRate:
    """What a Keras optimizer takes: a number as it is, a schedule of epochs as one of steps.

    Args:
        value: number, `Schedule`, or function of the run's `epochs` that returns one of these.
        epochs: length of the run, as schedules count it.
        steps_per_epoch: steps in which such an epoch passes, > 0.

    Raises:
        UserError: it is none of these.
    """
    if callable(value) and not isinstance(value, Schedule):
        value = value(epochs=epochs)
    if isinstance(value, Schedule):
        return EpochLearningRate(value, steps_per_epoch)
    rate: Any = value
    return number(rate, "learning_rate", 0.0)
