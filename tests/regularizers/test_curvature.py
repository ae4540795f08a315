"""CURE's term: closed forms, its gradient in float64, and whose statistics it uses."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.points import LivePoint
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.schedules import LinearRamp
from tfrobust.regularizers import Curvature

RNG = np.random.default_rng(0)
X, Y = tf.constant(RNG.random((5, 3, 3, 1))), tf.constant([0, 1, 2, 0, 1])


class Function:
    """A point in weight space whose logits are a function of the images."""

    def __init__(self, forward):
        self.classifier = forward
        self.forward = lambda x, training=True: forward(x)


def context_of(point, x=X, y=Y, epoch=0.0):
    keys = keys_of(0)
    step = Step(
        x, y, global_batch(x), tf.constant(epoch), tf.constant(0, tf.int64), keys, keys, keys
    )
    return StepContext(point, step, {"clean": x}, None)


def network():
    layers = [
        keras.layers.Conv2D(4, 2, dtype="float64"),
        BatchNormalization(momentum=0.5, dtype="float64"),
        keras.layers.Activation("softplus", dtype="float64"),
        keras.layers.Flatten(dtype="float64"),
        keras.layers.Dense(3, dtype="float64"),
    ]
    model = keras.Sequential([keras.Input((3, 3, 1), dtype="float64"), *layers])
    rng = np.random.default_rng(1)
    for v in model.variables:
        v.assign(
            rng.uniform(0.2, 1.0, v.shape) if "variance" in v.path else rng.normal(size=v.shape)
        )
    return model


def test_by_hand():
    """z = (0, 2 x), y = 1: the gradient is -2 (1 - p), at x = 1/2 -0.53788, at x - h = 1/4 -0.75508."""

    def forward(x):
        x = tf.reshape(x, [-1, 1])
        return tf.concat([tf.zeros_like(x), 2.0 * x], axis=1)

    context = context_of(Function(forward), tf.fill((1, 1, 1, 1), 0.5), tf.constant([1]))
    np.testing.assert_allclose(Curvature(h=0.25)(context), [(0.75508 - 0.53788) ** 2], rtol=1e-4)
    np.testing.assert_allclose(Curvature(h=0.25, power=1)(context), [0.75508 - 0.53788], rtol=1e-4)


def explicit(forward, h, x=X, y=Y):
    """The square for a network whose examples do not touch, or of a whole batch's gradient."""

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = keras.losses.sparse_categorical_crossentropy(y, forward(x), from_logits=True)
        return tape.gradient(loss, x).numpy()

    # Nine pixels: their signs have length 3.
    moved = x + h * np.sign(gradient(x)) / 3.0
    return np.square(gradient(moved) - gradient(x)).sum(axis=(1, 2, 3))


def test_an_example_at_a_time():
    """In a direction of unit length, the sign of its own gradient."""
    matrix = tf.constant(np.random.default_rng(2).normal(size=(9, 3)))

    def forward(x):
        return tf.sin(2.0 * tf.reshape(x, [-1, 9]) @ matrix)

    alone = [explicit(forward, 0.5, X[i : i + 1], Y[i : i + 1])[0] for i in range(5)]
    np.testing.assert_allclose(Curvature(h=0.5)(context_of(Function(forward))), alone, rtol=1e-9)


@pytest.mark.parametrize("power", [1, 2])
def test_an_affine_loss_has_none(power):
    """At a gap of 100 the loss is the gap; its gradient is constant, and no root turns it into NaN."""
    matrix = tf.constant(np.random.default_rng(2).normal(size=(9, 1)))

    def term():
        def forward(x):
            wrong = 100.0 + tf.reshape(x, [-1, 9]) @ matrix
            return tf.concat([tf.zeros_like(wrong), wrong], axis=1)

        return Curvature(power=power)(context_of(Function(forward), y=tf.zeros(5, tf.int32)))

    with tf.GradientTape() as tape:
        tape.watch(matrix)
        value = term()
    np.testing.assert_array_equal(value, 0.0)
    np.testing.assert_array_equal(tape.gradient(value, matrix, unconnected_gradients="zero"), 0.0)


def test_no_gradient_no_direction():
    value = Curvature(power=1)(context_of(Function(lambda x: tf.zeros((5, 3), x.dtype))))
    np.testing.assert_array_equal(value, 0.0)


@pytest.mark.parametrize("statistics", ["running", "batch"])
@pytest.mark.parametrize("power", [1, 2])
def test_gradient(power, statistics, slope_error):
    """Both input gradients carry it; neither kind of statistics moves the averages."""
    model = network()
    before = [v.numpy() for v in model.non_trainable_variables]

    def value():
        term = Curvature(h=0.6, power=power, statistics=statistics)
        return tf.reduce_sum(term(context_of(LivePoint(model))))

    assert slope_error(model, value) < 1e-7
    for v, old in zip(model.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), old)


def test_statistics():
    """Those of inference mode and of training mode, by explicit passes in these."""
    model = network()
    weights, values = model.get_weights(), {}
    for statistics, training in (("running", False), ("batch", True)):
        forward = functools.partial(model, training=training)
        values[statistics] = explicit(forward, 0.5)
        model.set_weights(weights)
        term = Curvature(h=0.5, statistics=statistics)(context_of(LivePoint(model)))
        np.testing.assert_allclose(term, values[statistics], rtol=1e-9)
    assert np.abs(values["batch"] - values["running"]).min() > 1e-4
    assert Curvature().differentiates_twice == "inference"
    assert Curvature(statistics="batch").differentiates_twice is True


def test_schedule_of_the_step():
    point = LivePoint(network())
    for epoch, h in ((0.0, 0.1), (2.5, 0.8), (9.0, 1.5)):
        ramped = Curvature(h=LinearRamp(5, 0.1, 1.5))(context_of(point, epoch=epoch))
        np.testing.assert_allclose(ramped, Curvature(h=h)(context_of(point)), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": -1.0}, "`weight` must"),
        ({"h": 0.0}, "`h` must"),
        ({"h": LinearRamp(5)}, "`h` must"),
        ({"power": 3}, "`power` must be 1 or 2"),
        ({"point": 1}, "`point` must be a name"),
        ({"statistics": "eval"}, "`statistics` must be 'running' or 'batch'"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(UserError, match=message):
        Curvature(**settings)


def test_round_trip():
    term = Curvature(LinearRamp(5), LinearRamp(5, 0.1, 1.5), 1, "clean", "batch")
    config = keras.saving.serialize_keras_object(term)
    assert keras.saving.deserialize_keras_object(config) == term
    assert term.name == "curvature_clean"
