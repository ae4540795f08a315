"""The Jacobian's norm: closed forms, the mean over projections, derivatives with respect to weights."""

import types
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.points import LivePoint
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import BatchKeys, keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.schedules import LinearRamp
from tfrobust.ops.statistics import running_statistics
from tfrobust.regularizers import Jacobian

RNG = np.random.default_rng(0)
CLASSES, PIXELS = 4, 6
MATRIX = RNG.normal(size=(PIXELS, CLASSES))


def context_of(forward, x, keys=None, watched=("clean",)):
    keys = keys_of(0) if keys is None else keys
    labels = tf.zeros(x.shape[0], tf.int32)
    step = Step(
        x, labels, global_batch(x), tf.constant(0.0), tf.constant(0, tf.int64), keys, keys, keys
    )
    point = forward
    if not isinstance(forward, LivePoint):
        point = types.SimpleNamespace(forward=forward, classifier=forward)
    return StepContext(point, step, {"clean": x}, None, watched)


def linear(x):
    """Example i has the Jacobian (i + 1) MATRIX^T."""
    factor = tf.range(1, x.shape[0] + 1, dtype=x.dtype)[:, None]
    return factor * tf.reshape(x, [x.shape[0], PIXELS]) @ tf.cast(MATRIX, x.dtype) + 3.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_basis_is_the_frobenius_norm_of_a_linear_map(dtype):
    x = tf.constant(RNG.random((3, 2, 3, 1)), dtype)
    norm = Jacobian(kind="basis")(context_of(linear, x))
    expected = np.array([1.0, 4.0, 9.0]) * np.square(MATRIX).sum()
    np.testing.assert_allclose(norm, expected, rtol=1e-5)
    half = Jacobian(kind="basis", half=True)(context_of(linear, x))
    np.testing.assert_allclose(half, 0.5 * expected, rtol=1e-5)
    assert norm.dtype == dtype


@pytest.mark.parametrize("kind", ["sphere", "rademacher"])
def test_unbiased(kind):
    """The mean over 20000 draws within four standard errors, which are below 0.5 %."""
    n = 20000
    x = tf.zeros((n, PIXELS))

    def same(x):
        return x @ tf.cast(MATRIX, x.dtype)

    expected = np.square(MATRIX).sum()
    one = Jacobian(kind=kind)(context_of(same, x)).numpy()
    error = one.std() / np.sqrt(n)
    assert 0.0 < error < 0.006 * expected
    assert abs(one.mean() - expected) < 4 * error
    # More projections: the same mean, the variance divided by their number.
    four = Jacobian(kind=kind, projections=4)(context_of(same, x[: n // 4])).numpy()
    assert abs(four.mean() - expected) < 4 * error
    np.testing.assert_allclose(four.var(), one.var() / 4, rtol=0.1)


def test_directions_are_those_of_tensorflow_probability():
    """Uniform on the sphere: the fourth moments of the coordinates are those of the library's draws."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It was written for an older setuptools.
        import tensorflow_probability as tfp
    logits = tf.zeros((40000, CLASSES))
    (ours,) = Jacobian()._vectors(logits, BatchKeys(tf.constant([1, 2])))
    ours = ours.numpy() / np.sqrt(CLASSES)
    theirs = tfp.random.spherical_uniform([40000], CLASSES, seed=(3, 4)).numpy()
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1.0, rtol=1e-5)
    for moment in (lambda v: v, np.square, lambda v: v**4):
        np.testing.assert_allclose(moment(ours).mean(0), moment(theirs).mean(0), atol=0.01)
    np.testing.assert_allclose((ours**4).mean(0), 3 / (CLASSES * (CLASSES + 2)), atol=0.004)


def test_directions_belong_to_rows_of_the_global_batch():
    """A replica that holds the rows from 3 on draws what one device draws for them."""
    regularizer, seed = Jacobian(projections=2), tf.constant([5, 6])
    whole = regularizer._vectors(tf.zeros((7, CLASSES)), BatchKeys(seed))
    part = regularizer._vectors(tf.zeros((4, CLASSES)), BatchKeys(seed, 3))
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_array_equal(a[3:], b)
    assert np.abs(whole[0] - whole[1]).min(axis=1).max() > 0.1


def network():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((3, 3, 2), dtype="float64")])
    for filters in (4, 3):
        model.add(keras.layers.Conv2D(filters, 2, padding="same", dtype="float64"))
        model.add(BatchNormalization(dtype="float64"))
        model.add(keras.layers.Activation("softplus", dtype="float64"))
    model.add(keras.layers.Flatten(dtype="float64"))
    model.add(keras.layers.Dense(CLASSES, dtype="float64"))
    return model


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def images():
    return tf.constant(np.random.default_rng(1).random((5, 3, 3, 2)))


def inference(model):
    def forward(x):
        with running_statistics():
            return model(x, training=True)

    return forward


def training(model):
    return LivePoint(model)


@pytest.mark.parametrize("mode", [training, inference])
def test_pullback_is_an_explicit_tape(mode, model, images):
    """Also with vectors that depend on the logits: the input gradient of the cross-entropy."""
    context = context_of(mode(model), images)
    forward = mode(model) if mode is inference else mode(model).forward
    labels = tf.one_hot([0, 1, 2, 3, 0], CLASSES, dtype=tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(images)
        losses = tf.nn.softmax_cross_entropy_with_logits(labels, forward(images))
        loss = tf.reduce_sum(losses)
    vectors = tf.nn.softmax(context.logits("clean")) - labels
    gradient = tape.gradient(loss, images)
    np.testing.assert_allclose(context.pullback("clean", vectors), gradient, rtol=1e-9, atol=1e-12)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = forward(images)
    jacobian = tape.batch_jacobian(logits, images) if mode is inference else None
    if jacobian is not None:
        exact = Jacobian(kind="basis")(context)
        np.testing.assert_allclose(exact, tf.reduce_sum(jacobian**2, (1, 2, 3, 4)), rtol=1e-9)


@pytest.mark.parametrize("mode", [training, inference])
@pytest.mark.parametrize("kind", ["sphere", "basis"])
def test_gradient_with_respect_to_weights(mode, kind, model, images):
    """Central differences of fourth order in float64, along a direction of all weights."""
    regularizer = Jacobian(kind=kind)
    variables = [v.value for v in model.trainable_variables]
    rng = np.random.default_rng(7)
    direction = [rng.normal(size=v.shape) for v in variables]

    @tf.function
    def value():
        return tf.reduce_sum(regularizer(context_of(mode(model), images)))

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(regularizer(context_of(mode(model), images)))
        return tape.gradient(total, variables, unconnected_gradients="zero")

    def along(step):
        for v, d in zip(variables, direction, strict=True):
            v.assign_add(step * d)
        moved = float(value())
        for v, d in zip(variables, direction, strict=True):
            v.assign_sub(step * d)
        return moved

    slope = sum(np.sum(g.numpy() * d) for g, d in zip(gradients(), direction, strict=True))
    h = 1e-4
    difference = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": -1.0}, "`weight` must"),
        ({"projections": 0}, "`projections` must"),
        ({"projections": 1.5}, "`projections` must"),
        ({"kind": "normal"}, "`kind` must be one of"),
        ({"kind": "basis", "projections": 2}, "takes every class once"),
        ({"point": None}, "`point` must be a name"),
        ({"half": 1}, "`half` must be True or False"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(UserError, match=message):
        Jacobian(**settings)


def test_round_trip_and_name():
    regularizer = Jacobian(LinearRamp(3), "adversarial", 2, "rademacher", True)
    config = keras.saving.serialize_keras_object(regularizer)
    assert keras.saving.deserialize_keras_object(config) == regularizer
    assert regularizer.name == "jacobian_adversarial" and regularizer.watched == ("adversarial",)
    assert regularizer.differentiates_twice


def batch_jacobian(model, x, training):
    """dz_b,c / dx_a for all images and classes, (b, c, a, pixels)."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model(x, training=training)
    jacobian = tape.jacobian(logits, x).numpy()
    return jacobian.reshape(*logits.shape, x.shape[0], -1)


@pytest.mark.parametrize("training", [True, False], ids=["batch statistics", "inference"])
def test_what_the_kinds_estimate_where_images_share_statistics(training):
    """Random vectors: without the cross terms between images; unit vectors: with them."""
    model = keras.Sequential(
        [
            keras.Input((2, 3, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
            BatchNormalization(),
            keras.layers.Activation("tanh"),
            keras.layers.Dense(CLASSES),
        ]
    )
    x = tf.constant(RNG.random((3, 2, 3, 1)), tf.float32)
    jacobian = batch_jacobian(model, x, training)
    apart = np.square(jacobian).sum(axis=(0, 1, 3))
    together = np.square(jacobian.sum(axis=0)).sum(axis=(0, 2))

    def forward(x):
        return model(x, training=training)

    basis = Jacobian(kind="basis")(context_of(forward, x))
    np.testing.assert_allclose(basis, together, rtol=1e-4)
    assert (np.abs(together / apart - 1.0).max() > 0.02) == training
    for kind in ("sphere", "rademacher"):
        drawn = tf.function(
            lambda seed, kind=kind: Jacobian(kind=kind)(context_of(forward, x, keys_of(seed)))
        )
        draws = np.stack([drawn(tf.constant([seed, 0])) for seed in range(400)])
        error = draws.std(axis=0) / np.sqrt(len(draws))
        np.testing.assert_array_less(np.abs(draws.mean(axis=0) - apart), 4.0 * error)
