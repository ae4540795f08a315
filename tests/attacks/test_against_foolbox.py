"""The same iterates as Foolbox, an independent library, from the same starts."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Adam, Uniform
from tfrobust.attacks.fgsm import fgsm
from tfrobust.losses import Margin
from tfrobust.ops.random.keys import keys_of
from tfrobust.threat_models import L2, Linf

with warnings.catch_warnings():
    # It imports names that SciPy has moved.
    warnings.simplefilter("ignore", DeprecationWarning)
    foolbox = pytest.importorskip(
        "foolbox", reason="foolbox is compared with where it is installed"
    )

import eagerpy  # noqa: E402

RNG = np.random.default_rng(0)
X = tf.constant(RNG.random((16, 5, 5, 2)), tf.float32)
Y = tf.constant(np.arange(16) % 4)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    scale = keras.initializers.RandomNormal(stddev=0.5)
    layers = [
        keras.layers.Dense(n, a, kernel_initializer=scale) for n, a in ((20, "tanh"), (4, None))
    ]
    return keras.Sequential([keras.Input((5, 5, 2)), keras.layers.Flatten(), *layers])


def theirs(attack, model, epsilon, start=None, y=Y):
    if start is not None:
        attack.get_random_start = lambda x0, eps: eagerpy.astensor(start)
    judged = foolbox.TensorFlowModel(model, bounds=(0, 1), device="/CPU:0")
    # The attack itself, without the search for what succeeded.
    return attack.run(judged, X, foolbox.criteria.Misclassification(y), epsilon=epsilon)


def start_of(threat_model):
    """The start that our attack draws, cut to the box as both do."""
    radius = tf.constant(threat_model.radius(), tf.float32)
    return Uniform()(threat_model, X, radius, keys_of(7).fold_in(0))


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projected_gradient_descent(model, norm, steps):
    threat_model, kind = {
        "linf": (Linf(0.1), foolbox.attacks.LinfPGD),
        "l2": (L2(0.6), foolbox.attacks.L2PGD),
    }[norm]
    kind = kind(rel_stepsize=0.3, steps=steps)
    expected = theirs(kind, model, threat_model.radius(), start_of(threat_model))
    attack = PGD(threat_model, steps=steps, relative_step_size=0.3)
    np.testing.assert_allclose(attack(model, X, Y, seed=7).x, expected, atol=2e-6)


def test_adam():
    """Its Adam steps on the sign of the gradient: the same where all slopes are 1 or -1."""
    centre = RNG.uniform(0.3, 0.7, size=(1, 5, 5, 2)).astype("float32")
    y = tf.ones(16, tf.int32)

    def valley(x):
        depth = tf.reduce_sum(abs(x - centre), axis=[1, 2, 3])
        return tf.stack([10.0 * tf.ones_like(depth), depth], axis=1)

    threat_model = Linf(0.3)
    kind = foolbox.attacks.LinfAdamPGD(rel_stepsize=0.2, steps=9)
    expected = theirs(kind, valley, 0.3, start_of(threat_model), y)
    attack = PGD(
        threat_model, Margin(), steps=9, relative_step_size=0.2, stepper=Adam(epsilon=1e-8)
    )
    np.testing.assert_allclose(attack(valley, X, y, seed=7).x, expected, atol=2e-6)


@pytest.mark.parametrize("threat_model", [Linf(0.1), L2(0.6)], ids=repr)
def test_fast_gradient(model, threat_model):
    kinds = foolbox.attacks.LinfFastGradientAttack, foolbox.attacks.L2FastGradientAttack
    kind = kinds[isinstance(threat_model, L2)]()
    expected = theirs(kind, model, threat_model.radius())
    found = fgsm(threat_model)(model, X, Y, seed=0).x
    np.testing.assert_allclose(found, expected, atol=1e-6)
