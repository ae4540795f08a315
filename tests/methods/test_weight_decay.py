"""Where weight decay acts under a weight perturbation: at the moved weights, however it is written."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.losses import cross_entropy
from tfrobust.methods import ADV
from tfrobust.threat_models import Linf
from tfrobust.training.optimizers.sgd import CoupledSGD
from tfrobust.weights import AWP, WeightNoise

RNG = np.random.default_rng(0)
X, Y = RNG.random((6, 4, 4, 1)).astype("float32"), (np.arange(6) % 3).astype("int32")
DECAY, GAMMA, RATE = 0.3, 0.4, 0.1
ATTACK = PGD(Linf(0.05), steps=1)


def classifier(penalty=None):
    keras.utils.set_random_seed(1)
    hidden = keras.layers.Dense(5, "tanh", kernel_regularizer=penalty)
    last = keras.layers.Dense(3, kernel_regularizer=penalty)
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), hidden, last])


def trained(perturbation, optimizer, penalty=None, steps=1):
    method = ADV(classifier(penalty), ATTACK, weight_perturbation=perturbation)
    method.compile(optimizer)
    for _ in range(steps):
        method.train_on_batch(X, Y)
    return [w.numpy() for w in method.classifier.weights]


def test_one_step_by_hand(eagerly):
    """w - rate * (grad L(w + v) + decay * (w + v)), v = gamma * |w| * G / |G| for kernels."""
    model = classifier()
    method = ADV(model, ATTACK)
    method.compile(CoupledSGD(RATE))
    step = method._begin(tf.constant(X), tf.constant(Y))
    adversarial = method.perturb(step)[0].x

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(cross_entropy(Y, model(adversarial, training=True)))
        return tape.gradient(loss, [v.value for v in model.trainable_variables])

    weights = [v.numpy() for v in model.trainable_variables]
    shifts = [
        GAMMA * np.linalg.norm(w) * g.numpy() / np.linalg.norm(g) if w.ndim > 1 else 0.0 * w
        for w, g in zip(weights, gradients(), strict=True)
    ]
    for variable, weight, shift in zip(model.trainable_variables, weights, shifts, strict=True):
        variable.assign(weight + shift)
    expected = [
        w - RATE * (g.numpy() + DECAY * (w + v))
        for w, g, v in zip(weights, gradients(), shifts, strict=True)
    ]
    found = trained(AWP(GAMMA), CoupledSGD(RATE, coupled_weight_decay=DECAY))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("perturbation", [AWP(GAMMA), WeightNoise(0.3), None], ids=repr)
def test_a_kernel_regularizer_and_coupled_decay_are_the_same(eagerly, perturbation):
    """decay / 2 * |w|^2 in the loss, and decay * w in the optimizer, for three steps with momentum."""
    options = {"coupled_weight_decay": DECAY, "decay_kernels_only": True}
    by_optimizer = trained(perturbation, CoupledSGD(RATE, **options), steps=3)
    penalty = keras.regularizers.L2(DECAY / 2)
    by_loss = trained(perturbation, CoupledSGD(RATE), penalty, steps=3)
    undecayed = trained(perturbation, CoupledSGD(RATE), steps=3)
    for one, other, third in zip(by_optimizer, by_loss, undecayed, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)
        assert np.abs(one - third).max() > 1e-3


def test_loss_scaling_leaves_it_as_it_is(eagerly):
    options = {"coupled_weight_decay": DECAY}
    scaled = keras.optimizers.LossScaleOptimizer(CoupledSGD(RATE, **options), initial_scale=8.0)
    for one, other in zip(
        trained(AWP(GAMMA), scaled), trained(AWP(GAMMA), CoupledSGD(RATE, **options)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
