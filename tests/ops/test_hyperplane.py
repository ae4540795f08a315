"""The nearest point of a hyperplane in the box: golden values, a linear program, and properties."""

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfrobust.ops.hyperplane import nearest_l1, nearest_l2, nearest_linf

T, W = [0.2, 0.5, 0.9, 0.4], [1.0, -2.0, 0.5, 0.0]
PROJECTIONS = {"linf": nearest_linf, "l2": nearest_l2, "l1": nearest_l1}


def length(delta, norm):
    return np.linalg.norm(delta, {"linf": np.inf, "l2": 2, "l1": 1}[norm], axis=-1)


@pytest.mark.parametrize(
    ("b", "linf", "l2", "l1"),
    [
        (
            -0.6,
            [-0.0714286, 0.0714286, -0.0714286, 0],
            [-0.0476190, 0.0952381, -0.0238095, 0],
            [0, 0.125, 0, 0],
        ),
        (-1.5, [-0.2, 0.38, -0.38, 0], [-0.2, 0.4470588, -0.1117647, 0], [-0.15, 0.5, 0, 0]),
        (
            -0.25,
            [0.0285714, -0.0285714, 0.0285714, 0],
            [0.0190476, -0.0380952, 0.0095238, 0],
            [0, -0.05, 0, 0],
        ),
        (0.0, [0.1, -0.1, 0.1, 0], [0.0666667, -0.1333333, 0.0333333, 0], [0, -0.175, 0, 0]),
        (5.0, [0.8, -0.5, 0.1, 0], [0.8, -0.5, 0.1, 0], [0.8, -0.5, 0.1, 0]),
    ],
)
def test_golden_values(b, linf, l2, l1):
    """<w, t> is -0.35; the last hyperplane lies outside the box.

    Those of (0, L2) are w c / |w|^2, and those of (-0.25, L1) and (0, L1) c / w_2 by itself.
    """
    gap = tf.constant([-0.35 - b])
    for project, expected in ((nearest_linf, linf), (nearest_l2, l2), (nearest_l1, l1)):
        found = project(tf.constant([T]), tf.constant([W]), gap)
        np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_a_linear_program_finds_nothing_nearer_in_the_maximum_norm():
    generator = np.random.default_rng(0)
    x, w = generator.random((20, 6)), generator.normal(size=(20, 6))
    gap = generator.normal(size=20)
    found = nearest_linf(*map(tf.constant, (x, w, gap))).numpy()
    for row in range(20):
        # Variables: the delta and its norm s; -s <= delta <= s.
        bounds = [(-v, 1 - v) for v in x[row]] + [(0, None)]
        eye, ones = np.eye(6), np.ones((6, 1))
        within = np.block([[eye, -ones], [-eye, -ones]])
        solved = scipy.optimize.linprog(
            [0] * 6 + [1], within, np.zeros(12), [[*w[row], 0]], [-gap[row]], bounds
        )
        if solved.success:
            np.testing.assert_allclose(np.abs(found[row]).max(), solved.fun, atol=1e-7)
            np.testing.assert_allclose(w[row] @ found[row], -gap[row], atol=1e-7)
        else:
            corner = np.where(w[row] * gap[row] > 0, 0, 1)
            np.testing.assert_allclose(x[row] + found[row], corner, atol=1e-7)


def test_a_linear_program_finds_nothing_nearer_in_the_sum_of_moves():
    generator = np.random.default_rng(2)
    x, w = generator.random((20, 6)), generator.normal(size=(20, 6))
    gap = 2.0 * generator.normal(size=20)
    found = nearest_l1(*map(tf.constant, (x, w, gap))).numpy()
    reached = 0
    for row in range(20):
        # Variables: how far each pixel goes up and how far it goes down.
        bounds = [(0, 1 - v) for v in x[row]] + [(0, v) for v in x[row]]
        plane = np.concatenate([w[row], -w[row]])[None]
        solved = scipy.optimize.linprog(np.ones(12), None, None, plane, [-gap[row]], bounds)
        if solved.success:
            reached += 1
            np.testing.assert_allclose(np.abs(found[row]).sum(), solved.fun, atol=1e-7)
            np.testing.assert_allclose(w[row] @ found[row], -gap[row], atol=1e-7)
        else:
            corner = np.where(w[row] * gap[row] > 0, 0, 1)
            np.testing.assert_allclose(x[row] + found[row], corner, atol=1e-7)
    assert 5 <= reached < 20


# What older versions of SciPy say of rounding at a bound.
@pytest.mark.filterwarnings("ignore:Values in x were outside bounds")
def test_a_solver_finds_nothing_nearer_in_the_euclidean_norm():
    generator = np.random.default_rng(1)
    x, w = generator.random((10, 5)), generator.normal(size=(10, 5))
    gap = 0.5 * generator.normal(size=10)
    found = nearest_l2(*map(tf.constant, (x, w, gap))).numpy()
    compared = 0
    for row in range(10):
        plane = {"type": "eq", "fun": lambda d, r=row: w[r] @ d + gap[r]}
        solved = scipy.optimize.minimize(
            lambda d: (d**2).sum(),
            found[row] * 0.5,
            bounds=[(-v, 1 - v) for v in x[row]],
            constraints=[plane],
            options={"ftol": 1e-14, "maxiter": 500},
        )
        if solved.success:
            compared += 1
            np.testing.assert_allclose((found[row] ** 2).sum(), solved.fun, rtol=1e-5)
    assert compared >= 5


def numbers(low, high):
    return st.floats(low, high, width=32, allow_subnormal=False)


@pytest.mark.parametrize("norm", PROJECTIONS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_in_the_box_on_the_plane_and_no_longer_than_any_other_way(norm, data):
    size = data.draw(st.integers(1, 7))
    x = data.draw(hnp.arrays(np.float32, (1, size), elements=numbers(0, 1)))
    w = data.draw(hnp.arrays(np.float32, (1, size), elements=numbers(-100, 100)))
    other = data.draw(hnp.arrays(np.float32, (1, size), elements=numbers(0, 1))) - x
    # The plane goes through another point of the box, so that it can be reached.
    gap = np.float32(-(w * other).sum(axis=1))
    found = PROJECTIONS[norm](tf.constant(x), tf.constant(w), tf.constant(gap)).numpy()
    assert np.isfinite(found).all()
    assert (x + found >= -1e-6).all() and (x + found <= 1 + 1e-6).all()
    slack = 1e-5 * np.abs(w).sum() + 1e-6
    if norm == "l2":
        # Pixels whose weight is below 1e-8 of the largest one stay where they are.
        slack += 1e-7 * np.abs(w).max()
    assert abs((w * found).sum() + gap[0]) <= slack
    # A gap that is rounding makes a length that is rounding.
    scale = np.abs(w).max()
    rounding = 1e-4 * slack / scale if scale else 0.0
    assert length(found, norm)[0] <= length(other, norm)[0] * (1 + 1e-4) + 1e-4 + rounding


def test_inside_the_box_it_is_the_formula_for_all_space():
    w = np.array([[3.0, -4.0]])
    middle, gap = tf.constant([[0.5, 0.5]], tf.float64), tf.constant([0.7], tf.float64)
    np.testing.assert_allclose(nearest_l2(middle, tf.constant(w), gap), -w * 0.7 / 25)
    np.testing.assert_allclose(nearest_linf(middle, tf.constant(w), gap), -np.sign(w) * 0.1)
    np.testing.assert_allclose(nearest_l1(middle, tf.constant(w), gap), [[0.0, 0.7 / 4]])


@pytest.mark.parametrize("project", PROJECTIONS.values())
def test_no_normal_and_no_gap_are_no_step(project):
    x, zero = tf.fill([2, 3], 0.5), tf.zeros([2, 3])
    np.testing.assert_array_equal(project(x, zero, tf.constant([1.0, -1.0])), zero)
    np.testing.assert_array_equal(project(x, x, tf.zeros([2])), zero)
    # A gap that overflows in units of the weight.
    far = project(x, 1e-30 * tf.ones([2, 3]), tf.constant([1e30, -1e30]))
    np.testing.assert_array_equal(far[:, 0], [-0.5, 0.5])
    # Weights whose squares underflow.
    tiny = project(x, 1e-25 * tf.ones([2, 3]), tf.constant([3e-26, -3e-26]))
    first = 0.3 if project is nearest_l1 else 0.1
    np.testing.assert_allclose(tiny[:, 0], [-first, first], rtol=1e-5)


@pytest.mark.parametrize("project", PROJECTIONS.values())
def test_a_compiled_graph_finds_the_same(project):
    generator = np.random.default_rng(3)
    x, w = (generator.random((5, 3, 2, 1)).astype("float32") for _ in range(2))
    arguments = [tf.constant(v) for v in (x, w - 0.5, generator.normal(size=5).astype("float32"))]
    expected = project(*arguments)
    compiled = tf.function(project, jit_compile=True, autograph=False)(*arguments)
    np.testing.assert_allclose(compiled, expected, atol=1e-6)


def test_what_rounding_leaves_does_not_move_a_pixel_that_hardly_matters():
    x, w = np.array([[0.7, 0.9, 0.5]], "float32"), np.array([[1.0, 0.3, 1e-7]], "float32")
    gap = np.nextafter(x[:, 0] + w[:, 1] * x[:, 1], np.float32(1))
    found = nearest_l1(*map(tf.constant, (x, w, gap)))
    np.testing.assert_allclose(found, [[-0.7, -0.9, 0.0]], atol=1e-6)


def test_equal_weights_are_moved_in_the_order_of_the_pixels():
    x, w = tf.fill([1, 4], 0.5), tf.constant([[1.0, 2.0, -2.0, 2.0]])
    found = nearest_l1(x, w, tf.constant([1.6]))
    np.testing.assert_allclose(found, [[0.0, -0.5, 0.3, 0.0]], atol=1e-7)
