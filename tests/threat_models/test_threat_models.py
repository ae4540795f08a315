"""Balls and boxes: projections stay inside for any input, draws and steps have the right shape."""

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfrobust.errors import UserError
from tfrobust.ops.random.keys import keys_of
from tfrobust.threat_models import L1, L2, Linf

MODELS = [Linf(0.3), L2(0.7), L2(0.7, projection="box_first"), L1(0.9)]
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


@settings(max_examples=60, deadline=None)
@given(x=pixels, candidate=anything, radius=st.floats(0, 8, width=32, allow_subnormal=False))
def test_l1_projection_fulfils_the_conditions_of_the_nearest_point(x, candidate, radius):
    """In double precision: |d| - |delta| is one level where neither 0 nor the box bounds |delta|."""
    x, candidate = x.astype("float64"), candidate.astype("float64")
    found = L1(1.0).project(tf.constant(candidate), tf.constant(x), radius).numpy()
    for clean, wanted, point in zip(x, candidate, found, strict=True):
        d, delta = (wanted - clean).ravel(), (point - clean).ravel()
        cap = np.where(d > 0, 1 - clean.ravel(), clean.ravel())
        rounding = 1e-13 * max(np.abs(d).max(), 1.0)
        assert np.all(delta * d >= 0) and np.all(np.abs(delta) <= cap + rounding)
        rest = np.abs(d) - np.abs(delta)
        full = np.abs(delta) >= cap - rounding
        level = rest[~full].max(initial=0.0)
        # Pixels that stay have |d| below the level, full ones have at least the level left.
        moved = np.abs(delta) > rounding
        np.testing.assert_allclose(rest[moved & ~full], level, rtol=0, atol=8 * rounding)
        floor = rest[full & moved].min(initial=np.inf)
        assert level <= floor + 8 * rounding
        total = np.minimum(np.abs(d), cap).sum()
        expected = min(total, radius)
        np.testing.assert_allclose(np.abs(delta).sum(), expected, rtol=1e-12, atol=8 * rounding)
        if total < radius:
            assert level <= rounding


def test_a_solver_finds_nothing_nearer_in_the_l1_ball():
    generator = np.random.default_rng(4)
    x, candidate = generator.random((12, 5)), generator.normal(0.5, 0.8, size=(12, 5))
    found = L1(1.0).project(tf.constant(candidate), tf.constant(x), 0.7).numpy()
    compared = 0
    for row in range(12):
        # Variables: how far each pixel goes up and how far it goes down.
        def far(v, d=candidate[row] - x[row]):
            return ((v[:5] - v[5:] - d) ** 2).sum()

        solved = scipy.optimize.minimize(
            far,
            np.zeros(10),
            bounds=[(0, 1 - v) for v in x[row]] + [(0, v) for v in x[row]],
            constraints=[{"type": "ineq", "fun": lambda v: 0.7 - v.sum()}],
            options={"ftol": 1e-14, "maxiter": 500},
        )
        if solved.success:
            compared += 1
            delta = found[row] - x[row]
            np.testing.assert_allclose(solved.x[:5] - solved.x[5:], delta, atol=1e-5)
            assert ((found[row] - candidate[row]) ** 2).sum() <= solved.fun + 1e-9
    assert compared >= 8


def test_l1_projection_by_hand():
    # delta (0.6, -0.3, 0.1): a level of 0.1 leaves (0.5, -0.2, 0), 0.7 in all.
    x, candidate = tf.constant([[0.3, 0.5, 0.4]]), tf.constant([[0.9, 0.2, 0.5]])
    np.testing.assert_allclose(L1(1).project(candidate, x, 0.7), [[0.8, 0.3, 0.4]], rtol=1e-6)
    # The box takes 0.4 of the first: the others keep (-0.25, 0.05), at a level of 0.05.
    x, candidate = tf.constant([[0.8, 0.5, 0.4]]), tf.constant([[1.4, 0.2, 0.5]])
    np.testing.assert_allclose(L1(1).project(candidate, x, 0.5), [[1.0, 0.25, 0.45]], rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("spread", [1e-4, 0.3, 100.0])
def test_l1_distances_of_large_images_do_not_add_up_rounding(spread, jit_compile):
    """Every pixel moves, and the radius is small: one unit in the last place each would be 1e-4."""
    generator = np.random.default_rng(5)
    x = generator.random((4, 32, 32, 3)).astype("float32")
    candidate = (x + spread * generator.normal(size=x.shape)).astype("float32")
    project = tf.function(L1(1).project, jit_compile=jit_compile, autograph=False)
    for radius in (0.05, 12.0):
        found = project(tf.constant(candidate), tf.constant(x), tf.constant(radius)).numpy()
        distance = np.abs(found.astype("float64") - x).sum(axis=(1, 2, 3))
        assert (distance <= radius * (1 + 1e-6) + 1e-7).all()
        # Half of the pixels that move lose up to 2**-24 of their way.
        reach = np.minimum(np.abs(np.clip(candidate, 0, 1) - x).sum(axis=(1, 2, 3)), radius)
        assert (distance >= reach * (1 - 2e-6) - 3072 * 2.0**-24).all()


def test_distances():
    x = tf.zeros((1, 2, 1, 1))
    other = tf.reshape(tf.constant([0.3, -0.4]), (1, 2, 1, 1))
    np.testing.assert_allclose(Linf(0.1).distance(other, x), [0.4])
    np.testing.assert_allclose(L2(0.1).distance(other, x), [0.5])
    np.testing.assert_allclose(L1(0.1).distance(other, x), [0.7])


def test_steepest():
    gradient = tf.constant([[3.0, -4.0], [0.0, 0.0], [1e-30, 0.0]])
    np.testing.assert_array_equal(Linf(0.1).steepest(gradient), [[1, -1], [0, 0], [1, 0]])
    np.testing.assert_allclose(L2(0.1).steepest(gradient), [[0.6, -0.8], [0, 0], [1, 0]], rtol=1e-6)
    np.testing.assert_array_equal(L1(0.1).steepest(gradient), [[0, -1], [0, 0], [1, 0]])
    ties = tf.constant([[2.0, -1.0, -2.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(L1(0.1).steepest(ties), [[0.5, 0, -0.5], [0, 0, 0]])


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_dual_norm_is_the_gain_along_the_steepest_direction(model):
    gradient = tf.constant(np.random.default_rng(6).normal(size=(20, 3, 2, 1)))
    direction = model.steepest(gradient)
    np.testing.assert_allclose(model.distance(direction, tf.zeros_like(direction)), 1.0)
    gain = tf.reduce_sum(gradient * direction, axis=(1, 2, 3))
    np.testing.assert_allclose(model.dual_norm(gradient), gain, rtol=1e-12)


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
    delta = (L1(0.3).random_point(x, radius, keys_of(0)) - x).numpy()
    length = np.abs(delta).sum(axis=1)
    assert length.max() <= radius * (1 + 1e-6)
    assert abs(np.mean((length / radius) ** 3) - 0.5) < 4 * (1 / 12 / n) ** 0.5
    # Shares |delta_i| / length are those of a stick broken at random: P(share > t) = (1 - t)^2.
    shares = np.abs(delta) / length[:, None]
    assert np.all(np.abs((shares > 0.5).mean(axis=0) - 0.25) < 4 * (0.25 * 0.75 / n) ** 0.5)
    assert np.abs((delta > 0).mean(axis=0) - 0.5).max() < 4 * (0.25 / n) ** 0.5
    surface = (L1(0.3).random_surface_point(x, radius, keys_of(1)) - x).numpy()
    np.testing.assert_allclose(np.abs(surface).sum(axis=1), radius, rtol=1e-5)
    shares = np.abs(surface) / radius
    assert np.all(np.abs((shares > 0.5).mean(axis=0) - 0.25) < 4 * (0.25 * 0.75 / n) ** 0.5)


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
        (lambda: L1(-1), "at least 0"),
        (lambda: L2(1, projection="exact"), "`projection` must be one of"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    "model", [Linf("8/255"), L2(1.5, projection="box_first"), L1("255/255")], ids=repr
)
def test_round_trip(model):
    config = keras.saving.serialize_keras_object(model)
    assert config["registered_name"].startswith("tfrobust>")
    assert keras.saving.deserialize_keras_object(config) == model
    assert model != Linf(0.1)


def test_l1_projection_with_a_radius_for_each_row_and_of_what_is_inside():
    rng = np.random.default_rng(3)
    x, step = rng.random((6, 4, 3, 1)), rng.normal(size=(6, 4, 3, 1))
    radii = np.linspace(0.2, 5.0, 6)
    both = L1(1.0).project(tf.constant(x + step), tf.constant(x), tf.constant(radii))
    for row, radius in enumerate(radii):
        one = L1(1.0).project(x[[row]] + step[[row]], x[[row]], tf.constant(radius, tf.float64))
        np.testing.assert_allclose(both[row], one[0], atol=1e-15)
    again = L1(1.0).project(both, tf.constant(x), tf.constant(radii))
    np.testing.assert_allclose(again, both, atol=1e-14)
    inside = np.clip(x + 0.001 * step, 0, 1)
    np.testing.assert_allclose(
        L1(1.0).project(inside, x, tf.constant(1.0, tf.float64)), inside, atol=1e-15
    )
