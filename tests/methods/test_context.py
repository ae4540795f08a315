"""What the parts of a step share: one forward pass a point, and its derivative."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.points import LivePoint, ShiftedPoint

X = tf.constant(np.random.default_rng(0).random((5, 2, 2, 1)), tf.float32)
V = tf.constant(np.random.default_rng(1).normal(size=(5, 3)), tf.float32)


def model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential(layers)


def context_of(point, watched=("clean",)):
    step = Step(
        X, tf.zeros(5, tf.int32), None, tf.constant(0.0), tf.constant(0, tf.int64), None, None, None
    )
    return StepContext(point, step, {"clean": X, "other": 2.0 * X}, None, watched)


def test_a_point_is_forwarded_once():
    calls = []

    class Point:
        def forward(self, x):
            calls.append(1)
            return x

    context = context_of(Point())
    for name in ("clean", "clean", "other", "clean"):
        context.logits(name)
    assert len(calls) == 2 and set(context.computed()) == {"clean", "other"}
    with pytest.raises(UserError, match=r"no point named 'far'. It has: \['clean', 'other'\]"):
        context.logits("far")


@pytest.mark.parametrize("kind", ["live", "shifted"])
def test_pullback_of_a_linear_model(kind):
    """J^T v is v times the kernel, and d/dK of its half square is known."""
    classifier = model()
    kernel = tf.convert_to_tensor(classifier.layers[-1].kernel)
    weights = [kernel, tf.zeros(3)]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        live = kind == "live"
        point = LivePoint(classifier) if live else ShiftedPoint(classifier, weights)
        found = context_of(point).pullback("clean", V)
        total = 0.5 * tf.reduce_sum(tf.square(found))
    expected = V @ tf.transpose(kernel)
    np.testing.assert_allclose(tf.reshape(found, (5, 4)), expected, rtol=1e-5)
    source = classifier.layers[-1].kernel.value if live else weights[0]
    slope = tf.transpose(expected) @ V
    np.testing.assert_allclose(tape.gradient(total, source), slope, rtol=1e-4, atol=1e-6)
