"""The error of the loss's linearisation: by hand, by convexity, and the direction that attacks climb."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean
from tfrobust.errors import UserError
from tfrobust.losses import CrossEntropy, LinearityError
from tfrobust.losses.input_gradient import loss_and_gradient
from tfrobust.threat_models import Linf

RNG = np.random.default_rng(0)
X, MOVED = (tf.constant(RNG.random((6, 2, 2, 1))) for _ in range(2))
Y = tf.constant([0, 1, 2, 0, 1, 2])
MATRIX, SECOND = tf.constant(RNG.normal(size=(4, 5))), tf.constant(RNG.normal(size=(5, 3)))


def linear(x):
    return 3.0 * tf.reshape(x, [-1, 4]) @ MATRIX[:, :3]


def curved(x):
    """Its errors have both signs."""
    return 3.0 * tf.sin(3.0 * tf.reshape(x, [-1, 4]) @ MATRIX) @ SECOND


def value_and_slope(objective, forward):
    reference = objective.reference(forward, X, Y)
    with tf.GradientTape() as tape:
        tape.watch(MOVED)
        value = objective(Y, forward(MOVED), reference, MOVED)
    return value.numpy(), tape.gradient(value, MOVED).numpy()


def test_by_hand():
    """z = (0, 2 x), x = 1/2, y = 1: l = 0.31326, at 1/4 it is 0.47408, the slope -0.53788."""

    def forward(x):
        x = tf.reshape(x, [-1, 1])
        return tf.concat([tf.zeros_like(x), 2.0 * x], axis=1)

    x, y = tf.fill((1, 1, 1, 1), 0.5), tf.constant([1])
    reference = LinearityError().reference(forward, x, y)
    np.testing.assert_allclose(reference[1], [0.31326], atol=1e-5)
    np.testing.assert_allclose(tf.reshape(reference[2], [-1]), [-0.53788], atol=1e-5)
    value = LinearityError()(y, forward(x - 0.25), reference, x - 0.25)
    np.testing.assert_allclose(value, [0.47408 - 0.31326 - 0.53788 / 4], atol=1e-5)


def test_a_loss_that_is_affine_in_the_pixels_has_none():
    """At a gap of 100 the cross-entropy is the gap itself."""

    def forward(x):
        wrong = 100.0 + tf.reshape(x, [-1, 4]) @ MATRIX[:, :1]
        return tf.concat([tf.zeros_like(wrong), wrong], axis=1)

    y = tf.zeros(6, tf.int32)
    reference = LinearityError().reference(forward, X, y)
    np.testing.assert_allclose(LinearityError()(y, forward(MOVED), reference, MOVED), 0, atol=1e-13)


def test_cross_entropy_of_linear_logits_is_convex():
    """There e >= 0, so that |e| is l(x + d) - l(x) - d . grad l itself."""
    loss, gradient = loss_and_gradient(linear, X, Y)
    change = CrossEntropy()(Y, linear(MOVED)) - loss
    error = change - tf.reduce_sum((MOVED - X) * gradient, axis=(1, 2, 3))
    assert error.numpy().min() > 1e-3
    np.testing.assert_allclose(value_and_slope(LinearityError(), linear)[0], error, rtol=1e-12)


def test_directions():
    """sign(e) (grad l(x + d) - grad l(x)); LLR's code leaves the second gradient out."""
    loss, clean = loss_and_gradient(curved, X, Y)
    other, moved = loss_and_gradient(curved, MOVED, Y)
    error = other - loss - tf.reduce_sum((MOVED - X) * clean, axis=(1, 2, 3))
    sign = np.sign(error)
    assert set(sign) == {-1.0, 1.0}
    value, slope = value_and_slope(LinearityError(), curved)
    np.testing.assert_allclose(value, np.abs(error), rtol=1e-12)
    np.testing.assert_allclose(slope, sign[:, None, None, None] * (moved - clean), rtol=1e-9)
    value, slope = value_and_slope(LinearityError(reference_inner_gradient=True), curved)
    np.testing.assert_allclose(value, np.abs(error), rtol=1e-12)
    np.testing.assert_allclose(slope, sign[:, None, None, None] * moved, rtol=1e-9)


def test_exact_direction_finds_a_larger_error():
    """On convex losses, where the reference climbs the loss, not the error."""
    found = {}
    for reference in (False, True):
        objective = LinearityError(reference)
        attack = PGD(Linf(0.3), objective, steps=5, step_size=0.1)
        x = attack(linear, X, Y, seed=1).x
        values = objective(Y, linear(x), objective.reference(linear, X, Y), x)
        found[reference] = float(tf.reduce_mean(values))
    assert found[False] > 1.05 * found[True]


def test_flat_at_the_clean_image():
    objective = LinearityError()
    reference = objective.reference(curved, X, Y)
    with tf.GradientTape() as tape:
        tape.watch(X)
        value = objective(Y, curved(X), reference, X)
    assert not np.any(value) and not np.any(tape.gradient(value, X))
    with pytest.raises(UserError, match="gradient of exactly zero at the clean image"):
        PGD(Linf(0.1), objective, start=Clean())


def test_round_trip():
    config = keras.saving.serialize_keras_object(LinearityError(True))
    assert keras.saving.deserialize_keras_object(config) == LinearityError(True)
