"""Losses of labels that are distributions, against closed forms and the losses of class numbers."""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tests.losses.test_divergences import KL, SQUARED, B, Y
from tfrobust.losses import Bregman, CrossEntropy, ToLabel, cross_entropy
from tfrobust.losses.potentials import Potential
from tfrobust.ops.logits import correct, likeliest_class

T = np.random.default_rng(5).dirichlet((0.5,) * 4, 6)
T[0] = 0.0, 0.25, 0.75, 0.0  # Shares of zero, whose logarithm is minus infinity.


class Cubes(Potential):
    """psi = sum of p^3, by `value` and `mirror` alone."""

    def value(self, logits):
        return tf.reduce_sum(tf.nn.softmax(logits) ** 3, axis=-1)

    def mirror(self, logits):
        return 3.0 * tf.nn.softmax(logits) ** 2

    def value_of_label(self, y, num_classes):
        return tf.ones_like(y, dtype=tf.float32)


def test_closed_forms():
    p = scipy.special.softmax(B.numpy(), axis=-1)
    soft = tf.constant(T)
    np.testing.assert_allclose(cross_entropy(soft, B), -(T * np.log(p)).sum(-1), rtol=1e-12)
    kl = scipy.special.rel_entr(T, p).sum(-1)
    np.testing.assert_allclose(KL.from_label(soft, B), kl, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(SQUARED.from_label(soft, B), ((T - p) ** 2).sum(-1), rtol=1e-12)
    cubes = (T**3 - p**3 - 3 * p**2 * (T - p)).sum(-1)
    np.testing.assert_allclose(Bregman(Cubes()).from_label(soft, B), cubes, rtol=1e-10)
    np.testing.assert_array_equal(CrossEntropy()(soft, B), cross_entropy(soft, B))
    np.testing.assert_array_equal(ToLabel(SQUARED)(soft, B), SQUARED.from_label(soft, B))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("potential", [KL.potential, SQUARED.potential, Cubes()])
def test_one_hot_rows_are_class_numbers(potential, smoothing):
    """Values and gradients, in float32, with logits up to 100 apart, where probabilities are 0 and 1."""
    logits = tf.cast(B, tf.float32) * tf.constant([[1.0], [1.0], [1.0], [10.0], [30.0], [30.0]])
    found = []
    for y in (Y, tf.one_hot(Y, 4)):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = Bregman(potential).from_label(y, logits, smoothing)
        found.append((value, tape.gradient(value, logits)))
    for one, two in zip(*found, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(two, one, rtol=2e-6, atol=2e-6)


def test_smoothing_is_an_affine_map_of_the_label():
    s = 0.2
    smoothed = tf.constant((1 - s) * T + s / 3 * (1 - T))
    for divergence in (KL, SQUARED):
        found = divergence.from_label(tf.constant(T), B, s)
        np.testing.assert_allclose(found, divergence.from_label(smoothed, B), rtol=1e-10)


def test_the_cross_entropy_is_linear_in_the_label_and_not_clipped():
    one, two = np.eye(4)[Y], np.eye(4)[(Y + 1) % 4]
    mixed = cross_entropy(tf.constant(0.3 * one + 0.7 * two), B)
    parts = 0.3 * cross_entropy(tf.constant(one), B) + 0.7 * cross_entropy(tf.constant(two), B)
    np.testing.assert_allclose(mixed, parts, rtol=1e-12)
    far = tf.constant([[0.0, 200.0]])
    np.testing.assert_allclose(cross_entropy(tf.constant([[0.5, 0.5]]), far), [100.0])


def test_the_likeliest_class():
    y = tf.constant([[0.2, 0.8], [0.5, 0.5]])
    assert likeliest_class(y).numpy().tolist() == [1, 0]
    logits = tf.constant([[0.0, 1.0], [float("nan"), 1.0]])
    assert correct(y, logits).numpy().tolist() == [True, False]
    assert likeliest_class(Y) is Y
