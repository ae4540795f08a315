"""Maximal entropy: psi of the prediction, at a point that the method has."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses import Bregman, SquaredNorm
from tfrobust.methods.context import Step, StepContext
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.schedules import LinearRamp
from tfrobust.regularizers import MaximalEntropy

LOGITS = tf.math.log(tf.constant([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]]))


@pytest.fixture
def context():
    points = {"clean": LOGITS, "adversarial": 0.0 * LOGITS}
    keys, labels = keys_of(0), tf.constant([0, 1])
    step = Step(
        LOGITS,
        labels,
        global_batch(LOGITS),
        tf.constant(0.0),
        tf.constant(0, tf.int64),
        keys,
        keys,
        keys,
    )
    return StepContext(types.SimpleNamespace(forward=lambda x: x), step, points, None)


def test_values(context):
    # Entropy of (1/2, 1/4, 1/4) is 1.5 log 2, its sum of squares 3/8.
    negative_entropy = MaximalEntropy()(context)
    np.testing.assert_allclose(negative_entropy, [-1.5 * np.log(2), -np.log(3)], rtol=1e-6)
    squares = MaximalEntropy(divergence=Bregman(SquaredNorm()))(context)
    np.testing.assert_allclose(squares, [3 / 8, 1 / 3], rtol=1e-6)
    at_adversarial = MaximalEntropy(point="adversarial")(context)
    np.testing.assert_allclose(at_adversarial, [-np.log(3)] * 2, rtol=1e-6)


def test_refusals(context):
    for make in (
        lambda: MaximalEntropy(-1.0),
        lambda: MaximalEntropy(LinearRamp(3, 0.0, -1.0)),
        lambda: MaximalEntropy(point=3),
        lambda: MaximalEntropy(divergence="kl"),
    ):
        with pytest.raises(UserError):
            make()
    with pytest.raises(UserError, match="no point named 'other'"):
        MaximalEntropy(point="other")(context)


def test_round_trip():
    regularizer = MaximalEntropy(LinearRamp(3), "adversarial", Bregman(SquaredNorm()))
    config = keras.saving.serialize_keras_object(regularizer)
    assert keras.saving.deserialize_keras_object(config) == regularizer
