"""Adam's moves, number by number."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Adam, Clean
from tfrobust.errors import UserError
from tfrobust.losses import Margin
from tfrobust.threat_models import Linf


def moves(gradients, stepper=None, rate=0.1, dtype=tf.float32):
    stepper = stepper or Adam()
    state = stepper.initial_state(tf.zeros(np.shape(gradients[0]), dtype))
    result = []
    for index, gradient in enumerate(gradients):
        gradient = tf.constant(gradient, dtype)
        move, state = stepper(None, gradient, tf.constant(rate, dtype), tf.constant(index), state)
        result.append(move.numpy())
    return np.array(result)


def test_first_step():
    gradient = np.array([2.0, -3.0, 1e-9, 0.0])
    expected = 0.1 * gradient / (np.abs(gradient) + 1e-9)
    np.testing.assert_allclose(moves([gradient])[0], expected, rtol=1e-6)


def test_constant_gradient_moves_by_the_rate():
    np.testing.assert_allclose(moves([[0.3, -5.0]] * 6), [[0.1, -0.1]] * 6, rtol=1e-6)


def test_reversed_gradient():
    """m_hat = -0.01 / 0.19 and v_hat = 1."""
    np.testing.assert_allclose(moves([[1.0], [-1.0]])[1] / 0.1, [-0.0526316], rtol=1e-5)


def test_against_a_loop_in_numpy():
    gradients = np.random.default_rng(0).normal(size=(5, 7))
    m = v = 0.0
    expected = []
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        expected.append(0.1 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-9))
    np.testing.assert_allclose(moves(gradients, dtype=tf.float64), expected, rtol=1e-12)
    np.testing.assert_allclose(moves(gradients), expected, rtol=1e-5)


def test_schedule_counts_steps_from_zero():
    stepper = Adam(milestones=(2, 4), factors=("1/10", 0.01))
    lengths = moves([[1.0]] * 6, stepper)[:, 0]
    np.testing.assert_allclose(lengths, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-5)


def test_one_step_of_two_radii_is_optimal_and_state_is_fresh():
    def model(x):
        return tf.stack([tf.zeros_like(x[:, 0, 0, 0]), x[:, 0, 0, 0] - 2 * x[:, 1, 0, 0]], axis=1)

    x = tf.fill((1, 2, 1, 1), 0.5)
    attack = PGD(Linf(0.1), Margin(), steps=1, step_size=0.2, stepper=Adam(), start=Clean())
    for _ in range(2):
        found = attack(model, x, [0], seed=0).x
        np.testing.assert_allclose(tf.reshape(found, [-1]), [0.6, 0.4], rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Adam(beta_2=1.0),
        lambda: Adam(epsilon=0.0),
        lambda: Adam(milestones=(1,), factors=()),
        lambda: Adam(milestones=(2, 1), factors=(0.1, 0.1)),
        lambda: Adam(milestones=(1.5,), factors=(0.1,)),
    ],
)
def test_refusals(make):
    with pytest.raises(UserError):
        make()
