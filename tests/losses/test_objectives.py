"""Margins, the DLR's golden values, and what attacks climb."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses import (
    DLR,
    Bregman,
    CrossEntropy,
    Margin,
    SquaredNorm,
    ToClean,
    ToLabel,
    difference_of_logits_ratio,
    margin,
)

Z = tf.constant([[3.0, 2.0, 5.0, 1.0]])


def value_and_gradient(function, y, z):
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(tf.constant([y]), z)
    return value.numpy()[0], tape.gradient(value, z).numpy()[0]


@pytest.mark.parametrize(
    ("y", "value", "gradient"),
    [
        (2, -0.666667, [0.333333, -0.222222, -0.111111, 0]),
        (0, 0.666667, [-0.333333, 0.222222, 0.111111, 0]),
        (1, 1.0, [0, 0, 0, 0]),
        (3, 1.333333, [0, 0.444444, -0.111111, -0.333333]),
    ],
)
def test_dlr_golden_values(y, value, gradient):
    """Computed with AutoAttack's own code for z = (3, 2, 5, 1)."""
    found, slope = value_and_gradient(difference_of_logits_ratio, y, Z)
    np.testing.assert_allclose(found, value, atol=1e-6)
    np.testing.assert_allclose(slope, gradient, atol=1e-6)


def test_dlr_ignores_scale_and_shift():
    z = tf.constant(np.random.default_rng(0).normal(size=(5, 4)))
    y = tf.constant([0, 1, 2, 3, 0])
    np.testing.assert_allclose(
        difference_of_logits_ratio(y, 7.0 * z + 3.0), difference_of_logits_ratio(y, z), rtol=1e-9
    )


def test_dlr_with_two_classes_is_the_margin():
    z = tf.constant([[1.0, 4.0]])
    np.testing.assert_allclose(difference_of_logits_ratio(tf.constant([0]), z), [3.0])


@pytest.mark.parametrize(
    ("y", "value", "gradient"),
    [(2, -2.0, [1, 0, -1, 0]), (0, 2.0, [-1, 0, 1, 0]), (3, 4.0, [0, 0, 1, -1])],
)
def test_margin(y, value, gradient):
    assert value_and_gradient(margin, y, Z)[0] == value
    np.testing.assert_array_equal(value_and_gradient(margin, y, Z)[1], gradient)


def test_margin_sends_ties_to_one_class():
    z = tf.constant([[2.0, 2.0, 0.0]])
    np.testing.assert_array_equal(value_and_gradient(margin, 2, z)[1], [1, 0, -1])


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_margin_where_a_constant_mask_would_fail(dtype):
    z = tf.constant([[-3e30, -2e30, -1e30]], dtype)
    np.testing.assert_allclose(margin(tf.constant([2]), z), [-1e30], rtol=1e-6)


def test_confidence_saturates():
    y = tf.constant([0, 0])
    z = tf.constant([[0.0, 3.0], [0.0, 7.0]])
    np.testing.assert_allclose(Margin(5.0)(y, z, None), [3.0, 5.0])
    with tf.GradientTape() as tape:
        tape.watch(z)
        total = tf.reduce_sum(Margin("5")(y, z, None))
    np.testing.assert_array_equal(tape.gradient(total, z), [[-1, 1], [0, 0]])


def test_directions():
    """`ToClean` is D(clean, candidate), with the gradient q - p with respect to the candidate's logits."""
    clean, candidate = tf.constant([[0.0, 0.0]]), tf.math.log(tf.constant([[3.0, 1.0]]))
    value = ToClean()(None, candidate, clean)
    np.testing.assert_allclose(value, [np.log(2 / 3**0.5)], rtol=1e-6)
    assert ToClean().flat_at_clean and not CrossEntropy().flat_at_clean


def test_to_label():
    y, z = tf.constant([0]), tf.constant([[0.0, 0.0]])
    np.testing.assert_allclose(ToLabel()(y, z, None), CrossEntropy()(y, z, None))
    np.testing.assert_allclose(ToLabel(Bregman(SquaredNorm()))(y, z, None), [0.5])


def test_saturated_cross_entropy_goes_the_wrong_way_and_the_margin_does_not():
    """At a logit gap of 16.8 the label's part of the gradient is rounded away in float32."""
    x = tf.constant([[0.9, 0.1, 0.2]])
    w = tf.constant([[1, -1, 0.5], [0.2, 0.3, -0.7], [-0.5, 0.4, 0.1]])
    signs = {}
    for objective in (CrossEntropy(), Margin(), DLR()):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = objective(tf.constant([0]), 40.0 * (x @ w), None)
        signs[type(objective)] = np.sign(tape.gradient(value, x))[0].tolist()
    assert signs[Margin] == [-1, -1, 1]
    assert signs[CrossEntropy] != signs[Margin]


@pytest.mark.parametrize(
    "objective",
    [CrossEntropy(), ToLabel(), ToClean(Bregman(SquaredNorm())), Margin(), Margin(3.0), DLR()],
    ids=repr,
)
def test_round_trip(objective):
    config = keras.saving.serialize_keras_object(objective)
    assert keras.saving.deserialize_keras_object(config) == objective


@pytest.mark.parametrize(
    "make", [lambda: Margin(-1.0), lambda: ToClean("kl"), lambda: ToLabel(SquaredNorm())]
)
def test_refusals(make):
    with pytest.raises(UserError):
        make()
