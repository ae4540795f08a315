"""Balls and boxes: projections stay inside for any input, draws and steps have the right shape."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfrobust.errors import UserError
from tfrobust.ops.random import keys_of
from tfrobust.threat_models import L2, Linf

MODELS = [Linf(0.3), L2(0.7), L2(0.7, projection="box_first")]
pixels = hnp.arrays(
    np.float32, (2, 2, 2, 1), elements=st.floats(0, 1, width=32, allow_subnormal=False)
)
anything = hnp.arrays(np.float32, (2, 2, 2, 1), elements=st.floats(-1e6, 1e6, width=32))


@pytest.mark.parametrize("model", MODELS, ids=repr)
@settings(max_examples=60, deadline=None)
@given(x=pixels, candidate=anything, radius=st.floats(0, 3, width=32))
def test_projection_stays_in_ball_and_box(model, x, candidate, radius):
    found = model.project(tf.constant(candidate), tf.constant(x), radius).numpy()
    assert found.min() >= 0.0 and found.max() <= 1.0
    assert np.all(model.distance(tf.constant(found), x) <= radius * (1 + 1e-6) + 1e-7)
    again = model.project(tf.constant(found), tf.constant(x), radius)
    np.testing.assert_allclose(again, found, atol=2e-7)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@settings(max_examples=20, deadline=None)
@example(x=np.zeros((2, 2, 2, 1), "float32"), candidate=np.full((2, 2, 2, 1), 4e-21, "float32"))
@given(x=pixels, candidate=anything)
def test_radius_zero_gives_the_image_bit_for_bit(model, x, candidate):
    found = model.project(tf.constant(candidate), tf.constant(x), 0.0)
    np.testing.assert_array_equal(found, x)


@settings(max_examples=40, deadline=None)
@given(x=pixels, candidate=anything, radius=st.floats(0, 1, width=32, allow_subnormal=False))
def test_linf_projection_is_the_nearest_point(x, candidate, radius):
    low, high = np.maximum(x - np.float32(radius), 0), np.minimum(x + np.float32(radius), 1)
    nearest = np.minimum(np.maximum(candidate, low), high)
    found = Linf(0.3).project(tf.constant(candidate), tf.constant(x), radius)
    np.testing.assert_allclose(found, nearest, atol=1e-7)


def test_l2_orders_by_hand():
    # x = (0.9, 0.5), candidate = (1.3, 0.8): delta = (0.4, 0.3), of length 0.5; radius 0.25.
    x, candidate = tf.constant([[0.9, 0.5]]), tf.constant([[1.3, 0.8]])
    # Ball first: delta (0.2, 0.15), then the box takes 0.1 of the first.
    found = L2(1.0).project(candidate, x, 0.25)
    np.testing.assert_allclose(found, [[1.0, 0.65]], rtol=1e-6)
    # Box first: delta (0.1, 0.3), of length sqrt(0.1), scaled to 0.25.
    factor = 0.25 / 0.1**0.5
    found = L2(1.0, projection="box_first").project(candidate, x, 0.25)
    np.testing.assert_allclose(found, [[0.9 + 0.1 * factor, 0.5 + 0.3 * factor]], rtol=1e-6)


def test_distances():
    x = tf.zeros((1, 2, 1, 1))
    other = tf.reshape(tf.constant([0.3, -0.4]), (1, 2, 1, 1))
    np.testing.assert_allclose(Linf(0.1).distance(other, x), [0.4])
    np.testing.assert_allclose(L2(0.1).distance(other, x), [0.5])


def test_steepest():
    gradient = tf.constant([[3.0, -4.0], [0.0, 0.0], [1e-30, 0.0]])
    np.testing.assert_array_equal(Linf(0.1).steepest(gradient), [[1, -1], [0, 0], [1, 0]])
    np.testing.assert_allclose(L2(0.1).steepest(gradient), [[0.6, -0.8], [0, 0], [1, 0]], rtol=1e-6)


def test_uniform_draws():
    n, radius = 20_000, 0.3
    x = tf.fill((n, 3), 0.5)
    delta = (Linf(0.3).random_point(x, radius, keys_of(0)) - x).numpy()
    assert np.abs(delta).max() <= radius + 1e-7
    # Variance of U(-r, r) is r^2/3; of its square 4 r^4/45. Four standard errors.
    error = 4 * (4 * radius**4 / 45 / (3 * n)) ** 0.5
    assert abs(np.square(delta).mean() - radius**2 / 3) < error
    delta = (L2(0.3).random_point(x, radius, keys_of(0)) - x).numpy()
    length = np.linalg.norm(delta, axis=1)
    assert length.max() <= radius * (1 + 1e-6)
    # In three dimensions (length / radius)^3 is uniform, and directions have no mean.
    assert abs(np.mean((length / radius) ** 3) - 0.5) < 4 * (1 / 12 / n) ** 0.5
    assert np.abs(delta.mean(axis=0)).max() < 4 * radius * (1 / 5 / n) ** 0.5


def test_radius_and_ramp():
    assert Linf("8/255").radius() == 8 / 255
    assert float(L2("1/2").radius(tf.constant(0.5))) == 0.25


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linf(8), "Did you mean '8/255'"),
        (lambda: Linf(-0.1), "`epsilon` must lie between 0 and 1"),
        (lambda: Linf(float("nan")), "`epsilon` must lie"),
        (lambda: L2(-1), "at least 0"),
        (lambda: L2(1, projection="exact"), "`projection` must be one of"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("model", [Linf("8/255"), L2(1.5, projection="box_first")], ids=repr)
def test_round_trip(model):
    config = keras.saving.serialize_keras_object(model)
    assert config["registered_name"].startswith("tfrobust>")
    assert keras.saving.deserialize_keras_object(config) == model
    assert model != Linf(0.1)
