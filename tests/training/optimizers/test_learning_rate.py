"""Learning rates in epochs."""

import keras
import numpy as np
import pytest

from tfrobust.errors import UserError
from tfrobust.ops.schedules import PiecewiseLinear, Steps
from tfrobust.training.optimizers.learning_rate import (
    EpochLearningRate,
    make_learning_rate,
    one_cycle,
)


def test_a_schedule_of_epochs_becomes_one_of_steps():
    rate = make_learning_rate(Steps((2, 3), (0.1, 0.01, 0.001)), epochs=4, steps_per_epoch=5)
    values = [float(rate(step)) for step in (0, 9, 10, 14, 15, 19)]
    np.testing.assert_allclose(values, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(rate))
    assert isinstance(again, EpochLearningRate) and again.get_config() == rate.get_config()


def test_a_number_stays_a_number_so_that_callbacks_may_change_it():
    assert make_learning_rate(0.1, epochs=4, steps_per_epoch=5) == 0.1


def test_one_cycle_has_its_corners_at_fractions_of_the_run():
    schedule = one_cycle(epochs=10, peak=0.2, start=0.1, rise=0.1, hold=0.4)
    values = [float(schedule(epoch)) for epoch in (0.0, 0.5, 1.0, 5.0, 7.5, 10.0)]
    np.testing.assert_allclose(values, [0.02, 0.11, 0.2, 0.2, 0.1, 0.0], atol=1e-7)
    triangle = make_learning_rate(lambda epochs: one_cycle(epochs, 0.2), 10, steps_per_epoch=2)
    np.testing.assert_allclose([float(triangle(s)) for s in (0, 8, 14)], [0, 0.2, 0.1], atol=1e-7)
    assert triangle.schedule == PiecewiseLinear((0.0, 4.0, 10.0), (0.0, 0.2, 0.0))


def test_a_cycle_without_a_fall_is_refused():
    with pytest.raises(UserError, match="fall"):
        one_cycle(10, 0.1, rise=0.5, hold=0.5)
