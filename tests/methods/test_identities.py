"""Settings that do nothing do nothing: plain Keras training, and one method out of another."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, EarlyStop, Gaussian, Uniform
from tfrobust.losses import Bregman, SquaredNorm, ToClean, ToLabel
from tfrobust.methods import ADV, FAIT, TRADES, Natural
from tfrobust.ops.schedules import LinearRamp, Steps
from tfrobust.regularizers import MaximalEntropy
from tfrobust.threat_models import Linf
from tfrobust.weights import AWP

pytestmark = pytest.mark.usefixtures("eagerly")

KL = PGD(Linf(0.1), ToClean(), steps=3, step_size=0.04, start=Gaussian(0.001))
CE = PGD(Linf(0.1), steps=3, step_size=0.04)
KEEPS_LAST = PGD(Linf(0.1), ToClean(), steps=3, step_size=0.04, start=Gaussian(0.001), keep=(3,))


def network(dropout=False):
    """No BatchNormalization, whose statistics a second forward pass moves: see below for that."""
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(3, 2, activation="tanh", kernel_regularizer="l2"),
            *([keras.layers.Dropout(0.3, seed=3)] if dropout else []),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="softplus", activity_regularizer="l2"),
            keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.02)),
        ]
    )


def optimizer():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def trained(make, data, classifier=None):
    method = make(network() if classifier is None else classifier)
    method.compile(optimizer())
    history = method.fit(data, epochs=2, verbose=0).history
    return method.classifier, history


@pytest.fixture
def plain(data):
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(), loss)
    return model, model.fit(data, epochs=2, verbose=0, shuffle=False).history["loss"]


@pytest.mark.parametrize(
    "make",
    [
        Natural,
        lambda c: TRADES(c, KL, beta=0.0),
        lambda c: TRADES(c, KL, beta=LinearRamp(5, 0.0, 0.0)),
        lambda c: TRADES(c, KL, beta=0.0, regularizers=[MaximalEntropy(0.0)]),
        lambda c: FAIT(c, KEEPS_LAST, beta=0.0),
        lambda c: TRADES(c, KL, beta=5.0, scale=0.0),
        lambda c: ADV(c, PGD(Linf(0.0), steps=2)),
        lambda c: ADV(c, CE, scale=0.0),
        lambda c: Natural(c, weight_perturbation=AWP(0.0)),
        lambda c: TRADES(c, KL, beta=0.0, weight_perturbation=AWP(Steps((9,), (0.0, 0.1)))),
    ],
    ids=range(10),
)
def test_neutral_settings_are_plain_keras(make, data, plain, same_weights):
    """With momentum, weights of examples, penalties of weights and of activities, batches of 7, 7, 1."""
    expected, loss = plain
    classifier, history = trained(make, data)
    same_weights(classifier, expected, atol=1e-6)
    np.testing.assert_allclose(history["loss"], loss, rtol=1e-5)


def test_dropout_is_plain_too(data, same_weights):
    model = network(dropout=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(), loss)
    model.fit(data, epochs=2, verbose=0, shuffle=False)
    for perturbation in (None, AWP(0.0)):
        natural, _ = trained(
            lambda c, p=perturbation: Natural(c, weight_perturbation=p), data, network(dropout=True)
        )
        same_weights(natural, model, atol=1e-6)


@pytest.mark.parametrize("kernel_size", [1])
def test_plain_in_a_graph(kernel_size, data, plain, same_weights):
    tf.config.run_functions_eagerly(False)
    classifier, _ = trained(lambda c: TRADES(c, KL, beta=0.0), data)
    same_weights(classifier, plain[0], atol=1e-6)


SQUARED = Bregman(SquaredNorm())
SQUARED_PGD = PGD(Linf(0.1), ToClean(SQUARED), steps=3, step_size=0.04, start=Uniform())
PAIRS = {
    "fait_of_the_last_is_trades": (
        lambda c: FAIT(c, KEEPS_LAST, beta=4.0),
        lambda c: TRADES(c, KL, beta=4.0),
    ),
    "mer_of_weight_0": (
        lambda c: TRADES(c, KL, beta=4.0, regularizers=[MaximalEntropy(0.0)]),
        lambda c: TRADES(c, KL, beta=4.0),
    ),
    "awp_of_size_0": (
        lambda c: TRADES(c, KL, beta=4.0, weight_perturbation=AWP(0.0)),
        lambda c: TRADES(c, KL, beta=4.0),
    ),
    "fat_of_full_tolerance": (
        lambda c: ADV(c, PGD(Linf(0.1), steps=3, step_size=0.04, freeze=EarlyStop(3))),
        lambda c: ADV(c, CE),
    ),
    "label_divergence_of_kl_is_cross_entropy": (
        lambda c: TRADES(c, SQUARED_PGD, divergence=SQUARED, label_divergence=Bregman(), beta=0.0),
        Natural,
    ),
    "kl_to_the_label_is_cross_entropy": (
        lambda c: ADV(c, PGD(Linf(0.1), ToLabel(), steps=3, step_size=0.04)),
        lambda c: ADV(c, CE),
    ),
    "squared_natural": (
        lambda c: TRADES(c, SQUARED_PGD, divergence=SQUARED, beta=0.0),
        lambda c: Natural(c, divergence=SQUARED),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_one_method_out_of_another(pair, data, same_weights):
    (one, _), (other, _) = (trained(make, data) for make in PAIRS[pair])
    same_weights(one, other, atol=2e-6)


def test_settings_that_do_something_are_seen(data, same_weights):
    """The comparisons above could fail."""
    for make in (
        lambda c: TRADES(c, KL, beta=0.1),
        lambda c: Natural(c, regularizers=[MaximalEntropy(0.1)]),
        lambda c: Natural(c, weight_perturbation=AWP(0.01)),
        lambda c: ADV(c, CE, scale=0.1),
    ):
        with pytest.raises(AssertionError):
            same_weights(trained(make, data)[0], trained(Natural, data)[0], atol=1e-4)


def test_batch_normalization_sees_each_training_pass_once(data, make_classifier):
    """At beta 0 and radius 0 the weights are those of natural training; averages move twice a step."""
    found = {}
    for name, make in (
        ("natural", Natural),
        ("awp", lambda c: Natural(c, weight_perturbation=AWP(0.0))),
        ("trades", lambda c: TRADES(c, KL, beta=0.0, scale=0.0)),
    ):
        found[name] = make(make_classifier())
        found[name].compile(keras.optimizers.SGD(0.0))
        found[name].fit(data.take(1), verbose=0)
    means = {
        name: next(w.numpy() for w in method.classifier.weights if "moving_mean" in w.path)
        for name, method in found.items()
    }
    np.testing.assert_allclose(means["awp"], means["natural"], rtol=1e-6)
    # 1 - 0.9 of the batch's mean after one pass, 1 - 0.9^2 after two.
    np.testing.assert_allclose(means["trades"], means["natural"] * 0.19 / 0.1, rtol=1e-5)
