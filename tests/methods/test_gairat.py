"""GAIRAT's weights in closed form, and what they do to a step."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean
from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.methods import ADV, GAIRAT
from tfrobust.ops.schedules import Steps
from tfrobust.threat_models import Linf

TEN = PGD(Linf(0.1), steps=10)
CE = PGD(Linf(0.1), steps=3, step_size=0.04)


def raw(make_classifier, kappa, epoch=0.0, **settings):
    method = GAIRAT(make_classifier(), TEN, **{"burn_in": 0, **settings})
    return method.raw_weights(tf.constant(kappa), tf.constant(epoch)).numpy()


def test_raw_weights_of_the_paper(make_classifier):
    found = raw(make_classifier, [0, 3, 5, 8, 10])
    np.testing.assert_allclose(found, [0.99966, 0.8808, 0.1192, 0.000335, 0.0000061], rtol=1e-2)
    exact = [(1 + math.tanh(-1 + 5 * (1 - 2 * k / 10))) / 2 for k in (0, 3, 5, 8, 10)]
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_other_weightings(make_classifier):
    found = raw(make_classifier, [0, 5, 10], weighting="sigmoid", offset=1.0)
    np.testing.assert_allclose(found, [1 / (1 + math.exp(-a)) for a in (6, 1, -4)], rtol=1e-6)
    found = raw(make_classifier, [0, 5, 10], weighting="discrete")
    np.testing.assert_allclose(found, [1, 6 / 11, 1 / 11], rtol=1e-6)


def test_burn_in_and_schedule(make_classifier):
    settings = {"burn_in": 2, "offset": Steps((3,), (0.0, 1.0))}
    for epoch, expected in ((0.0, 1.0), (1.99, 1.0), (2.0, 0.5), (3.0, 1 / (1 + math.exp(-2)))):
        np.testing.assert_allclose(raw(make_classifier, [5], epoch, **settings), [expected], 1e-6)


def trained(make, make_classifier, data):
    method = make(make_classifier())
    method.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    method.fit(data, epochs=2, verbose=0)
    return method


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("settings", [{"burn_in": 0, "offset": math.inf}, {"burn_in": 2}])
def test_infinite_offset_and_burn_in_are_adversarial_training(
    settings, make_classifier, data, same_weights
):
    adv = trained(lambda c: ADV(c, CE), make_classifier, data)
    gairat = trained(lambda c: GAIRAT(c, CE, **settings), make_classifier, data)
    same_weights(gairat.classifier, adv.classifier, atol=1e-6)
    with pytest.raises(AssertionError):
        other = trained(lambda c: GAIRAT(c, CE, burn_in=1), make_classifier, data)
        same_weights(other.classifier, adv.classifier, atol=1e-4)


@pytest.mark.usefixtures("eagerly")
def test_one_step_by_hand():
    """z = (0, 2x): 1/2 of label 1 is right before both steps, 1/4 of label 0 never.

    kappa = 2, 0: raw = sigmoid(-12), sigmoid(8) with K = 2; the step is the weighted mean.
    """
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
    )
    model.layers[-1].kernel.assign([[0.0, 2.0]])
    attack = PGD(Linf(0.5), steps=2, step_size=0.125, start=Clean())
    method = GAIRAT(model, attack, burn_in=0)
    method.compile(keras.optimizers.SGD(0.1))
    x = np.array([0.5, 0.25], "float32").reshape(2, 1, 1, 1)
    logs = method.train_on_batch(x, np.array([1, 0]), return_dict=True)
    sigmoid = lambda s: 1 / (1 + math.exp(-s))  # noqa: E731
    weights = np.array([sigmoid(-12), sigmoid(8)])
    weights *= 2 / weights.sum()
    # x' = 1/4 of label 1, 1/2 of label 0.
    losses = np.array([-math.log(sigmoid(0.5)), math.log(1 + math.exp(1.0))])
    np.testing.assert_allclose(logs["loss"], np.mean(weights * losses), rtol=1e-5)
    np.testing.assert_allclose(logs["label_loss"], np.mean(losses), rtol=1e-5)
    slope = np.mean(weights * [-(1 - sigmoid(0.5)) * 0.25, sigmoid(1.0) * 0.5])
    np.testing.assert_allclose(model.layers[-1].kernel[0, 1], 2.0 - 0.1 * slope, rtol=1e-5)


def test_an_infinite_offset_survives_its_configuration(make_classifier):
    method = GAIRAT(make_classifier(), CE, burn_in=1, offset=math.inf)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(method)))
    assert keras.saving.deserialize_keras_object(config).offset == math.inf


@pytest.mark.parametrize(
    ("attack", "settings", "message"),
    [
        (CE, {"burn_in": -1}, "`burn_in` must be"),
        (CE, {"offset": -30.0}, "`offset` must be"),
        (CE, {"offset": math.nan}, "`offset` must be"),
        (CE, {"weighting": "linear"}, "`weighting` must be one of"),
        (Attack(), {}, "needs one that is made of steps"),
    ],
)
def test_refusals(attack, settings, message, make_classifier):
    with pytest.raises(UserError, match=message):
        GAIRAT(make_classifier(), attack, **{"burn_in": 0, **settings})
