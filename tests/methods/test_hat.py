"""HAT by hand on one pixel, its identities, and a helper that stays what it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean
from tfrobust.errors import UserError
from tfrobust.methods import HAT, TRADES
from tfrobust.threat_models import Linf

W, X, RATE = 2.0, 0.5, 0.1
ATTACK = PGD(Linf(0.25), steps=1, relative_step_size=1.0, start=Clean())


def linear(w, bias=0.0):
    """z = (0, w x + bias)."""
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.layers[-1].kernel.assign([[0.0, w]])
    model.layers[-1].bias.assign([0.0, bias])
    return model


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


def expected(w, seen, reach, adversarial_label):
    """x' = 1/4; x_h = 1/2 - reach / 4, which is below 0 at reach 3; the helper sees `seen` at x'."""
    p, q, r = (sigmoid(w * x) for x in (0.5, 0.25, 0.5 - 0.25 * reach))
    second = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    if adversarial_label:
        second = -np.log(q)
    return -np.log(p) + 2.5 * second - 0.5 * np.log(r if seen else 1 - r)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("seen", "reach", "adversarial_label"),
    [(1, 2.0, False), (0, 2.0, False), (0, 3.0, False), (1, 3.0, True)],
)
def test_one_step(seen, reach, adversarial_label):
    helper = linear(4.0, -0.9 if seen else -1.1)  # 1 above 0.225 or 0.275: x' = 0.25, x = 0.5
    model = linear(W)
    settings = {"beta": 2.5, "gamma": 0.5, "reach": reach, "adversarial_label": adversarial_label}
    method = HAT(model, ATTACK, helper=helper, **settings)
    method.compile(keras.optimizers.SGD(RATE))
    before = [w.numpy() for w in helper.weights]
    logs = method.train_on_batch(np.full((1, 1, 1, 1), X), np.array([1]), return_dict=True)
    arguments = (seen, reach, adversarial_label)
    np.testing.assert_allclose(logs["loss"], expected(W, *arguments), rtol=1e-5)
    slope = (expected(W + 1e-5, *arguments) - expected(W - 1e-5, *arguments)) / 2e-5
    np.testing.assert_allclose(model.layers[-1].kernel[0, 1], W - RATE * slope, rtol=1e-5)
    for old, new in zip(before, helper.weights, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.usefixtures("eagerly")
def test_gamma_0_is_trades(make_classifier, data, same_weights):
    def run(make):
        # No statistics, which the third pass would move; no dropout.
        keras.utils.set_random_seed(3)
        inputs = keras.Input((4, 4, 1))
        hidden = keras.layers.Dense(4, "tanh")(keras.layers.Flatten()(inputs))
        method = make(keras.Model(inputs, keras.layers.Dense(3)(hidden)))
        method.compile(keras.optimizers.SGD(0.1, momentum=0.9))
        method.fit(data, verbose=0)
        return method.classifier

    trades = run(lambda c: TRADES(c, ATTACK, beta=3.0))
    hat = run(lambda c: HAT(c, ATTACK, beta=3.0, gamma=0.0, helper=make_classifier()))
    same_weights(hat, trades, atol=1e-6)
    with pytest.raises(AssertionError):
        hat = run(lambda c: HAT(c, ATTACK, beta=3.0, gamma=0.5, helper=make_classifier()))
        same_weights(hat, trades, atol=1e-4)


def test_the_helper_is_saved_with_the_method(tmp_path, same_weights):
    helper = linear(4.0, -1.1)
    method = HAT(linear(W), ATTACK, helper=helper)
    method.compile(keras.optimizers.SGD(RATE, momentum=0.9))
    assert len(method.optimizer.variables) == 2  # iterations and rate: not built yet
    assert [v.path for v in method.trainable_variables] == [
        v.path for v in method.classifier.trainable_variables
    ]
    method.optimizer.build(method.trainable_variables)
    path = str(tmp_path / "hat.keras")
    method.save(path)
    again = keras.saving.load_model(path)
    same_weights(again.helper, helper)
    assert not again.helper.trainable and again.classifier.trainable


def test_refusals(make_classifier):
    classifier = make_classifier()
    for helper in (classifier, keras.Sequential([keras.Input((4, 4, 1)), classifier])):
        with pytest.raises(UserError, match="a model of its own"):
            HAT(classifier, ATTACK, helper=helper)
    for settings, message in (
        ({"helper": None}, "`helper` must be a keras.Model"),
        ({"gamma": -1.0}, "`gamma` must be"),
        ({"reach": 0.0}, "`reach` must be"),
        ({"adversarial_label": 1}, "`adversarial_label` must be of kind bool"),
    ):
        with pytest.raises(UserError, match=message):
            HAT(make_classifier(), ATTACK, **{"helper": make_classifier(), **settings})
    model = tf.keras.Model  # the class instead of a model
    with pytest.raises(UserError, match="`helper` must be a keras.Model.*forget to call"):
        HAT(make_classifier(), ATTACK, helper=model)
