"""MART on the one pixel of test_losses_by_hand.py: p = 0.73106, p' = 0.62246, two classes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean
from tfrobust.errors import UserError
from tfrobust.losses.boosted import boosted_cross_entropy
from tfrobust.methods import MART
from tfrobust.threat_models import Linf

pytestmark = pytest.mark.usefixtures("eagerly")

W, X, RATE = 2.0, 0.5, 0.1
ATTACK = PGD(Linf(0.25), steps=1, relative_step_size=1.0, start=Clean())


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


def loss(w, beta, offset):
    p, q = sigmoid(w * X), sigmoid(w * 0.25)
    kl = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return -np.log(q) - np.log(q + offset) + beta * kl * (1 - p)


@pytest.mark.parametrize(("beta", "offset"), [(0.0, 0.0), (5.0, 0.0), (5.0, 0.1)])
def test_one_step(beta, offset):
    """Two classes: 1 - p_wrong = p_y. 2 * 0.47408 + 5 * 0.0263446 * 0.26894 at beta 5."""
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
    )
    model.layers[-1].kernel.assign([[0.0, W]])
    method = MART(model, ATTACK, beta=beta, offset=offset)
    method.compile(keras.optimizers.SGD(RATE))
    logs = method.train_on_batch(np.full((1, 1, 1, 1), X), np.array([1]), return_dict=True)
    if (beta, offset) == (5.0, 0.0):
        np.testing.assert_allclose(logs["loss"], 2 * 0.47408 + 5 * 0.0263446 * 0.26894, rtol=1e-4)
    np.testing.assert_allclose(logs["loss"], loss(W, beta, offset), rtol=1e-5)
    np.testing.assert_allclose(logs["weighted_divergence"], 0.0263446 * 0.26894, rtol=1e-4)
    # The gradient flows through p, q and the weight 1 - p.
    slope = (loss(W + 1e-5, beta, offset) - loss(W - 1e-5, beta, offset)) / 2e-5
    np.testing.assert_allclose(model.layers[-1].kernel[0, 1], W - RATE * slope, rtol=1e-5)


@pytest.mark.parametrize("offset", [0.0, 1e-4])
def test_boosted_cross_entropy_of_three_classes(offset):
    """p = (0.2, 0.5, 0.3): the likeliest wrong class of label 0 is 1, of label 1 it is 2."""
    logits = tf.math.log(tf.constant([[0.2, 0.5, 0.3]] * 2)) + 3.0
    expected = -np.log([0.2 * (0.5 + offset), 0.5 * (0.7 + offset)])
    np.testing.assert_allclose(boosted_cross_entropy([0, 1], logits, offset), expected, rtol=1e-6)


def test_boosted_cross_entropy_where_probabilities_round_to_one():
    """z = (0, 100, 0), label 0: log p_0 = -100, 1 - p_1 = 2 exp(-100); bounded with the offset."""
    logits = tf.constant([[0.0, 100.0, 0.0]])
    np.testing.assert_allclose(boosted_cross_entropy([0], logits), [200 - np.log(2)], rtol=1e-6)
    bounded = boosted_cross_entropy([0], logits, 1e-4)
    np.testing.assert_allclose(bounded, [100 - np.log(1e-4)], rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": -1.0}, "`beta` must be"),
        ({"offset": -1e-4}, "`offset` must lie"),
        ({"divergence": "kl"}, "`divergence` must be of kind"),
    ],
)
def test_refusals(settings, message, make_classifier):
    with pytest.raises(UserError, match=message):
        MART(make_classifier(), ATTACK, **settings)
