"""Straight lines around activations, and boxes through them, on dense grids."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.bounds import Interval, activations, rules
from tfrobust.bounds.arithmetic import PROOF
from tfrobust.bounds.pooling import max_pooling_2d

ACTIVATIONS = {name: make() for name, make in rules._ACTIVATIONS.items()}
ACTIVATIONS |= {"elu_half": activations.elu(0.5), "elu_two": activations.elu(2.0)}


def draw_boxes(count):
    """Boxes of all sizes, on one side of 0 and on both, some of a single point."""
    generator = np.random.default_rng(0)
    center = generator.normal(0, 4, count) * 10.0 ** generator.integers(-3, 2, count)
    width = np.abs(generator.normal(0, 1, count)) * 10.0 ** generator.integers(-9, 2, count)
    width[:10] = 0.0
    return Interval(*(tf.constant(v[:, None]) for v in (center - width, center + width)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_lie_between_their_lines(name):
    activation, box = ACTIVATIONS[name], draw_boxes(400)
    points = np.linspace(box.lower[:, 0], box.upper[:, 0], 101, axis=1)
    values = activation.function(tf.constant(points)).numpy()
    found, error = activation.bound([box], PROOF)
    assert (error is None) == activation.is_exact
    rounded = activation.function(tf.constant(points, tf.float32)).numpy()
    room = 0.0 if error is None else error.numpy()
    # The float32 value at the rounded point is the function's value there, up to its own error.
    there = activation.function(tf.constant(points.astype(np.float32), tf.float64)).numpy()
    assert (np.abs(rounded - there) <= room + 1e-300).all()
    tiny = 1e-12 * (1 + np.abs(values))
    assert (values >= found.lower.numpy() - tiny).all()
    assert (values <= found.upper.numpy() + tiny).all()
    for sign in (1.0, -1.0):
        rows = tf.fill(box.lower.shape, tf.constant(sign, tf.float64))
        (slope,), constant = activation.relax(rows, [box], PROOF)
        line = slope.numpy() * points + constant.numpy()[:, None]
        assert (line <= sign * values + tiny).all(), name


def test_relu_takes_the_lower_line_that_leaves_less_room():
    box = Interval(
        tf.constant([[-1.0], [-3.0]], tf.float64), tf.constant([[3.0], [1.0]], tf.float64)
    )
    (low, at_low), (high, at_high) = ACTIVATIONS["relu"].find_lines(box)
    np.testing.assert_array_equal(low[:, 0], [1.0, 0.0])
    np.testing.assert_array_equal(at_low[:, 0], [0.0, 0.0])
    # The chord over [-1, 3] is 3/4 (x + 1).
    np.testing.assert_allclose(high[:, 0], [0.75, 0.25])
    np.testing.assert_allclose(at_high[:, 0], [0.75, 0.75])


@pytest.mark.parametrize("strides", [2, 1])
def test_max_pooling_lies_above_its_linear_bound(strides):
    generator = np.random.default_rng(2)
    operation = max_pooling_2d(keras.layers.MaxPooling2D(2, strides))
    center = generator.normal(0, 1, (50, 4, 4, 2))
    # From boxes of which one number of a window always wins to such that all may win.
    width = 10.0 ** generator.uniform(-2, 0.5, (50, 1, 1, 1)) * np.ones_like(center)
    box = Interval(tf.constant(center - width), tf.constant(center + width))
    found, error = operation.bound([box], PROOF)
    rows = generator.normal(0, 1, tuple(found.lower.shape))
    (coefficients,), constant = operation.relax(tf.constant(rows), [box], PROOF)
    coefficients = coefficients.numpy()
    exact = 0
    for _ in range(200):
        share = generator.random(center.shape) ** generator.choice([0.05, 1.0, 20.0])
        points = center - width + 2 * width * share
        pooled = tf.nn.max_pool2d(tf.constant(points), 2, strides, "VALID").numpy()
        value = np.sum(rows * pooled, axis=(1, 2, 3))
        line = np.sum(coefficients * points, axis=(1, 2, 3)) + constant.numpy()
        assert (line <= value + 1e-9).all()
        exact += (line >= value - 1e-9).sum()
    assert error is None
    # Where every winner is known nothing is lost; of windows that overlap none is looked at.
    assert (exact > 500) == (strides == 2)
