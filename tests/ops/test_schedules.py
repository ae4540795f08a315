"""Schedules by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops import schedules
from tfrobust.ops.schedules import LinearRamp, PiecewiseLinear, Steps, WarmUp


def values(schedule, epochs):
    return [float(schedule(tf.constant(epoch, tf.float32))) for epoch in epochs]


def test_linear_ramp():
    ramp = LinearRamp(4, begin=1.0, end="6/2", after=2)
    assert values(ramp, [0, 2, 3, 4, 6, 100]) == [1.0, 1.0, 1.5, 2.0, 3.0, 3.0]
    assert ramp.extremes() == (1.0, 3.0)


def test_steps_change_at_the_start_of_an_epoch():
    steps = Steps((30, 50), (0.1, 0.01, 0.001))
    np.testing.assert_allclose(
        values(steps, [0, 29.99, 30, 49.99, 50, 99]), [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    )
    assert steps.extremes() == (0.001, 0.1)
    assert values(Steps((), (2.0,)), [0, 5]) == [2.0, 2.0]


def test_piecewise_linear():
    triangle = PiecewiseLinear((0, 2, 6), (0.0, 1.0, 0.0))
    assert values(triangle, [0, 1, 2, 3, 6, 9]) == [0.0, 0.5, 1.0, 0.75, 0.0, 0.0]
    assert triangle.extremes() == (0.0, 1.0)


def test_warm_up_then_milestones_counted_from_its_end():
    rate = WarmUp(Steps((75, 90), (0.4, 0.04, 0.004)), epochs=5)
    expected = [0.0, 0.2, 0.4, 0.4, 0.04, 0.04, 0.004]
    np.testing.assert_allclose(values(rate, [0, 2.5, 5, 79.99, 80, 94.99, 95]), expected, rtol=1e-6)
    assert rate.extremes() == (0.0, 0.4)
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(rate)) == rate
    with pytest.raises(UserError, match="`then`"):
        WarmUp(0.4)
    with pytest.raises(UserError, match="`epochs`"):
        WarmUp(Steps((), (0.4,)), 0)


def test_at():
    assert schedules.at(3, 5.0) == 3.0
    assert schedules.at("1/4", 5.0) == 0.25
    assert float(schedules.at(LinearRamp(10), tf.constant(5.0))) == 0.5


def test_checked_looks_at_all_that_a_schedule_can_become():
    ramp = LinearRamp(3, end=0.5)
    assert schedules.check_schedule(ramp, "scale", 0.0, 1.0) is ramp
    assert schedules.check_schedule("1/2", "scale", 0.0, 1.0) == 0.5
    for schedule in (LinearRamp(3, end=2.0), Steps((1,), (-1.0, 0.0)), 1.5):
        with pytest.raises(UserError, match="`scale` must lie between 0 and 1"):
            schedules.check_schedule(schedule, "scale", 0.0, 1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearRamp(0),
        lambda: LinearRamp(1, begin="x"),
        lambda: LinearRamp(1, after=-1),
        lambda: Steps((1, 2), (1.0, 2.0)),
        lambda: Steps((2, 1), (1.0, 2.0, 3.0)),
        lambda: Steps((1,), (1.0, "x")),
        lambda: PiecewiseLinear((1, 1), (0.0, 1.0)),
    ],
)
def test_what_cannot_be(make):
    with pytest.raises(UserError):
        make()


@pytest.mark.parametrize(
    "schedule", [LinearRamp(3), Steps((1, 2), (1.0, 2.0, 3.0)), PiecewiseLinear((0, 1), (1.0, 2.0))]
)
def test_round_trip(schedule):
    assert type(schedule).from_config(schedule.get_config()) == schedule
    assert hash(schedule) == hash(type(schedule).from_config(schedule.get_config()))
