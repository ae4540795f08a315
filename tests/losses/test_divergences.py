"""Divergences against closed forms, TensorFlow Probability and the generic Bregman formula."""

import dataclasses

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses import Bregman, NegativeEntropy, Potential, SquaredNorm, cross_entropy

KL, SQUARED = Bregman(), Bregman(SquaredNorm())
RNG = np.random.default_rng(0)
A, B = (tf.constant(RNG.normal(scale=3, size=(6, 4))) for _ in range(2))
Y = tf.constant([0, 1, 2, 3, 0, 1])


def softmax(z):
    return scipy.special.softmax(np.asarray(z), axis=-1)


def test_kl_by_hand():
    # a = (1/2, 1/2), b = (3/4, 1/4): KL(a||b) = log(2/sqrt 3), KL(b||a) = log 2 - H(3/4, 1/4).
    a, b = tf.constant([[0.0, 0.0]]), tf.math.log(tf.constant([[3.0, 1.0]]))
    np.testing.assert_allclose(KL(a, b), [np.log(2 / 3**0.5)], rtol=1e-6)
    entropy = np.log(4) - 0.75 * np.log(3)
    np.testing.assert_allclose(KL(b, a), [np.log(2) - entropy], rtol=1e-6)


def test_kl_against_scipy():
    expected = scipy.special.rel_entr(softmax(A), softmax(B)).sum(axis=-1)
    np.testing.assert_allclose(KL(A, B), expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore")  # TensorFlow Probability's own deprecations.
def test_kl_against_tensorflow_probability():
    import tensorflow_probability as tfp

    p, q = (tfp.distributions.Categorical(logits=z) for z in (A, B))
    np.testing.assert_allclose(KL(A, B), p.kl_divergence(q), rtol=1e-10)
    np.testing.assert_allclose(KL.entropy(A), p.entropy(), rtol=1e-10)


def test_squared_error_is_symmetric_and_bounded():
    expected = np.square(softmax(A) - softmax(B)).sum(axis=-1)
    np.testing.assert_allclose(SQUARED(A, B), expected, rtol=1e-12)
    np.testing.assert_allclose(SQUARED(B, A), expected, rtol=1e-12)
    far = tf.constant([[200.0, 0.0]])
    np.testing.assert_allclose(SQUARED(far, -far), [2.0])


@pytest.mark.parametrize("potential", [NegativeEntropy(), SquaredNorm()], ids=repr)
def test_stable_forms_equal_the_definition(potential):
    definition = Potential.divergence(potential, A, B)
    np.testing.assert_allclose(potential.divergence(A, B), definition, rtol=1e-9)
    of_label = Potential.divergence_from_label(potential, Y, A)
    np.testing.assert_allclose(potential.divergence_from_label(Y, A), of_label, rtol=1e-9)


@pytest.mark.parametrize("potential", [NegativeEntropy(), SquaredNorm()], ids=repr)
def test_mirror_is_the_gradient_of_value(potential):
    """By central differences over probabilities: psi(softmax(log p)) = psi(p)."""
    p, direction = softmax(A), RNG.normal(size=(6, 4))
    direction -= direction.mean(axis=-1, keepdims=True)  # stays a probability vector

    def value(t):
        return potential.value(tf.math.log(tf.constant(p + t * direction))).numpy()

    h = 1e-3 * p.min()
    numeric = (value(h) - value(-h)) / (2 * h)
    exact = (potential.mirror(A).numpy() * direction).sum(axis=-1)
    np.testing.assert_allclose(exact, numeric, rtol=1e-6)


def test_from_label():
    one_hot = np.eye(4)[Y.numpy()]
    np.testing.assert_allclose(
        KL.from_label(Y, A), -np.log((softmax(A) * one_hot).sum(axis=-1)), rtol=1e-12
    )
    np.testing.assert_allclose(
        SQUARED.from_label(Y, A), np.square(softmax(A) - one_hot).sum(axis=-1), rtol=1e-12
    )
    np.testing.assert_allclose(cross_entropy(Y, A), KL.from_label(Y, A))


def test_entropy_signs_and_bounds():
    uniform, certain = tf.zeros((1, 4)), tf.constant([[99.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(KL.entropy(uniform), [np.log(4)], rtol=1e-6)
    np.testing.assert_allclose(KL.entropy(certain), [0.0], atol=1e-6)
    np.testing.assert_allclose(SQUARED.entropy(uniform), [-0.25], rtol=1e-6)
    np.testing.assert_allclose(SQUARED.entropy(certain), [-1.0], rtol=1e-6)


def test_gradients_of_kl_reach_both_arguments():
    with tf.GradientTape() as tape:
        tape.watch([A, B])
        loss = tf.reduce_mean(KL(A, B))
    d_a, d_b = tape.gradient(loss, [A, B])
    p, q = softmax(A), softmax(B)
    np.testing.assert_allclose(d_b, (q - p) / 6, atol=1e-12)
    # d/dz_a = p (r - <p, r>) with r = log p - log q.
    r = np.log(p) - np.log(q)
    expected = p * (r - (p * r).sum(axis=-1, keepdims=True)) / 6
    np.testing.assert_allclose(d_a, expected, atol=1e-12)


@pytest.mark.parametrize("gap", [20.0, 200.0, 1e4])
def test_extreme_logits(gap):
    """In float32, where probabilities are rounded to 0 and 1."""
    a, b = tf.constant([[gap, 0.0, -gap]]), tf.constant([[0.0, gap, -gap]])
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        value = KL(a, b)
    np.testing.assert_allclose(value, [gap], rtol=1e-5)
    for gradient in tape.gradient(value, [a, b]):
        assert np.isfinite(gradient).all()
    np.testing.assert_allclose(KL(a, a), [0.0], atol=1e-6)
    np.testing.assert_allclose(SQUARED(a, b), [2.0], rtol=1e-6)
    np.testing.assert_allclose(KL.from_label(tf.constant([1]), a), [gap], rtol=1e-6)
    assert np.isfinite(KL.entropy(a)).all()


def test_a_potential_of_ones_own():
    @dataclasses.dataclass(frozen=True)
    class Cubes(Potential):
        def value(self, logits):
            return tf.reduce_sum(tf.nn.softmax(logits) ** 3, axis=-1)

        def mirror(self, logits):
            return 3.0 * tf.nn.softmax(logits) ** 2

        def value_of_label(self, y, num_classes):
            return tf.ones_like(y, dtype=tf.float32)

    p, q, one_hot = softmax(A), softmax(B), np.eye(4)[Y.numpy()]
    divergence = Bregman(Cubes())
    expected = (p**3 - q**3 - 3 * q**2 * (p - q)).sum(axis=-1)
    np.testing.assert_allclose(divergence(A, B), expected, rtol=1e-9)
    expected = (one_hot - p**3 - 3 * p**2 * (one_hot - p)).sum(axis=-1)
    np.testing.assert_allclose(divergence.from_label(Y, A), expected, rtol=1e-9)


def test_kind_and_round_trip():
    with pytest.raises(UserError, match="`potential` must be of kind Potential.*forget to call"):
        Bregman(SquaredNorm)
    for divergence in (KL, SQUARED):
        config = keras.saving.serialize_keras_object(divergence)
        assert keras.saving.deserialize_keras_object(config) == divergence
    assert KL != SQUARED
