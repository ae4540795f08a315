"""The norm of the weights' gradient in the logs: what plain SGD moves by, and training does not notice it."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.methods import ADV, Free, Natural
from tfrobust.regularizers import MaximalEntropy
from tfrobust.threat_models import Linf

RNG = np.random.default_rng(0)
X, Y = RNG.random((12, 4, 4, 1)).astype("float32"), np.arange(12) % 3
ATTACK = PGD(Linf(0.1), steps=2)
METHODS = {
    "natural": Natural,
    "adv": lambda c: ADV(c, ATTACK, regularizers=[MaximalEntropy(0.5)]),
    "free": lambda c: Free(c, Linf(0.1), batch_shape=(12, 4, 4, 1), replays=1),
}


def network():
    keras.utils.set_random_seed(2)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, kernel_regularizer="l2")]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


def measure_move(classifier, before):
    moves = [a - b for a, b in zip(classifier.get_weights(), before, strict=True)]
    return np.sqrt(sum(np.sum(np.square(move, dtype="float64")) for move in moves))


def fitted(method="natural", optimizer=None, strategy=None, batch_size=12, weight=1.0, **options):
    """A method after an epoch, how far its weights have moved, and its logs."""
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        model = METHODS[method](network())
        model.compile(optimizer or keras.optimizers.SGD(0.5), **options)
    before = model.classifier.get_weights()
    data = tf.data.Dataset.from_tensor_slices((X, Y, np.full(12, weight))).batch(batch_size)
    logs = model.fit(data, verbose=0).history
    return model, measure_move(model.classifier, before), logs


@pytest.mark.parametrize("method", ["adv", "free"])
def test_it_is_what_a_step_of_plain_descent_moves_by(method):
    model, moved, logs = fitted(method, gradient_norm=True)
    assert logs["gradient_norm"] == [pytest.approx(moved / 0.5, rel=1e-5)]
    silent, _, fewer = fitted(method)
    # To the last bit.
    for a, b in zip(model.classifier.weights, silent.classifier.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert {**fewer, "gradient_norm": logs["gradient_norm"]} == logs


def test_parts_and_replicas_give_the_norm_of_the_whole_batch(two_replicas):
    _, moved, _ = fitted()
    for options in ({"accumulation_steps": 2}, {"strategy": two_replicas}):
        _, _, logs = fitted(**options, gradient_norm=True)
        assert logs["gradient_norm"] == [pytest.approx(moved / 0.5, rel=1e-4)]


def test_it_is_taken_before_clipping():
    clipped = keras.optimizers.SGD(0.5, global_clipnorm=0.01)
    _, short, logs = fitted(optimizer=clipped, gradient_norm=True)
    _, moved, _ = fitted()
    assert short == pytest.approx(0.005, rel=1e-4)
    assert logs["gradient_norm"] == [pytest.approx(moved / 0.5, rel=1e-5)]


@pytest.mark.parametrize("weight, is_made", [(1.0, True), (100.0, False)])
def test_scaled_losses_do_not_scale_it_and_steps_left_out_do_not_count(weight, is_made):
    optimizer = keras.optimizers.SGD(0.5)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**127)
    _, moved, logs = fitted(optimizer=scaled, weight=weight, gradient_norm=True)
    assert logs["gradient_norm"] == [pytest.approx(moved / 0.5, rel=1e-5)]
    assert (moved > 0.0) == is_made


def test_it_is_a_mean_over_the_steps_of_training_which_compile_takes_away():
    model, _, logs = fitted(batch_size=6, gradient_norm=True)
    seen: list[float] = []
    other, _, _ = fitted(gradient_norm=True)
    other.classifier.set_weights(network().get_weights())
    for rows in (slice(6), slice(6, 12)):
        before = other.classifier.get_weights()
        other.train_on_batch(X[rows], Y[rows])
        seen.append(measure_move(other.classifier, before) / 0.5)
    assert logs["gradient_norm"] == [pytest.approx(np.mean(seen), rel=1e-5)]
    assert "gradient_norm" not in model.evaluate(X, Y, verbose=0, return_dict=True)
    assert model.get_compile_config()["gradient_norm"] is True
    model.compile("sgd")
    assert "gradient_norm" not in model.fit(X, Y, verbose=0).history
    with pytest.raises(UserError, match="gradient_norm"):
        model.compile("sgd", gradient_norm="yes")
