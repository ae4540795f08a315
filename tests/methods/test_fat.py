"""Friendly adversarial training is ADV or TRADES with an attack that stops early: no class of its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean, EarlyStop, Gaussian
from tfrobust.errors import UserError
from tfrobust.losses import ToClean
from tfrobust.methods import ADV, TRADES
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.ops.schedules import Steps
from tfrobust.threat_models import L2, Linf

pytestmark = pytest.mark.usefixtures("eagerly")

SETTINGS = {"steps": 3, "step_size": 0.04}
WIDE = Linf(0.9)
KL = {"objective": ToClean(), "start": Gaussian(0.001, clip=True), **SETTINGS}
PAIRS = {
    "adv": (ADV, SETTINGS),
    "trades": (TRADES, KL),
    "noisy": (ADV, {**SETTINGS, "step_noise": 0.01}),
}


def trained(make, make_classifier, data):
    method = make(make_classifier())
    method.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    method.fit(data, verbose=0)
    return method.classifier


@pytest.mark.parametrize("pair", PAIRS)
def test_full_tolerance_is_the_plain_method(pair, make_classifier, data, same_weights):
    kind, settings = PAIRS[pair]

    def run(**options):
        attack = PGD(Linf(0.3), **settings, **options)
        return trained(lambda c: kind(c, attack), make_classifier, data)

    plain = run()
    same_weights(run(freeze=EarlyStop(3)), plain)
    same_weights(run(freeze=EarlyStop(Steps((0.5,), (3, 4)))), plain)
    with pytest.raises(AssertionError):
        same_weights(run(freeze=EarlyStop(Steps((0.3,), (3, 0)))), plain)


def linear(x):
    """z = (0, x - 0.5): class 1 above one half."""
    return tf.concat([tf.zeros_like(x[:, 0, 0]), x[:, 0, 0] - 0.5], axis=1)


@pytest.mark.parametrize(("tolerance", "ends"), [(0, 0.45), (1, 0.35), (2, 0.25), (9, 0.15)])
def test_the_friendly_iterate(tolerance, ends):
    """0.65, 0.55, 0.45 is the first misclassified iterate; each unit of tau is one step more."""
    attack = PGD(Linf(0.5), steps=5, step_size=0.1, start=Clean(), freeze=EarlyStop(tolerance))
    found = attack(linear, tf.fill([1, 1, 1, 1], 0.65), [1], seed=0)
    np.testing.assert_allclose(found.x[0, 0, 0, 0], ends, atol=1e-6)
    assert found.survived.numpy().tolist() == [2]


def noise(threat_model=WIDE, seed=3, size=4000, **settings):
    x = tf.fill([1, 1, size, 1], 0.5)
    settings = {"steps": 2, "step_size": 0.0, "start": Clean(), "step_noise": 0.01, **settings}
    attack = PGD(threat_model, **settings)
    model = lambda x: tf.reduce_sum(x, [1, 2]) * tf.constant([0.0, 1.0])  # noqa: E731
    found = attack(model, x, [1], seed=seed)
    return (found.x - x).numpy().ravel()


def test_step_noise():
    """Two steps of standard deviation 0.01 are 0.01414, mean 0; each step draws its own."""
    drawn = noise()
    np.testing.assert_allclose([drawn.std(), drawn.mean()], [0.01414, 0.0], atol=5e-4)
    np.testing.assert_array_equal(noise(), drawn)
    assert np.abs(noise(seed=4) - drawn).max() > 0.01
    # The first of the two steps is part of both, the second is independent of it.
    first = noise(steps=1)
    assert abs(np.corrcoef(first, drawn - first)[0, 1]) < 0.05
    np.testing.assert_allclose(first.std(), 0.01, atol=5e-4)
    assert np.abs(noise(Linf(0.005))).max() <= 0.005 + 1e-7
    assert np.linalg.norm(noise(L2(0.1))) <= 0.1 + 1e-6
    by_example = noise(seed=ExampleKeys(tf.constant([[1, 2]])))
    np.testing.assert_allclose(by_example.std(), 0.01414, atol=5e-4)
    np.testing.assert_allclose(noise(jit_compile=True), drawn, atol=1e-6)


def test_refusals():
    with pytest.raises(UserError, match="`step_noise` must be"):
        PGD(Linf(0.1), step_noise=-0.001)
