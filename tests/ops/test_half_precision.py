"""Gradients through float16 against the same network in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import attacks
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.losses.input_gradient import loss_and_gradient
from tfrobust.methods.attacked_model import make_attacked_model
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.half_precision import inner_scale, tangent_scale
from tfrobust.ops.logits import inference
from tfrobust.threat_models import L2, Linf

RNG = np.random.default_rng(0)
X = RNG.random((12, 4, 4, 1)).astype("float32")
Y = (np.arange(12) % 3).astype("int32")
BALL = Linf(0.3)


def network(policy, scale=1.0):
    """The same weights in every precision; `scale` multiplies the logits, in that precision."""
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(3)
        layers = [
            keras.layers.Conv2D(8, 3, activation="relu"),
            BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
            keras.layers.Rescaling(scale**0.5),
            keras.layers.Rescaling(scale**0.5),
        ]
        return keras.Sequential([keras.Input((4, 4, 1)), *layers])
    finally:
        keras.config.set_dtype_policy("float32")


def gradient(forward, vectors):
    x = tf.constant(X)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        logits = forward(x)
    return tape.gradient(logits, x, tf.constant(vectors))


def pair(scale):
    return network("mixed_float16", scale), network("float32", scale)


@pytest.mark.parametrize("make", [inference, lambda m: make_attacked_model(m, "batch_frozen")])
@pytest.mark.parametrize("scale", [1e-5, 1.0, 3e3])
def test_the_gradient_of_every_row(make, scale):
    """From too small for any number of float16 to too large, in vectors and in the network."""
    half, full = (make(m) for m in pair(scale))
    vectors = RNG.normal(size=(12, 3)).astype("float32")
    if make is inference:
        vectors *= 10.0 ** np.linspace(-12, 3, 12, dtype="float32")[:, None]
        vectors[4] = 0.0
    found, expected = gradient(half, vectors), gradient(full, vectors)
    size = np.abs(expected).max(axis=(1, 2, 3), keepdims=True) + 1e-30
    np.testing.assert_allclose(found / size, expected / size, atol=0.02)


def test_the_same_gradient_under_xla():
    half, full = map(inference, pair(1e-5))
    vectors = RNG.normal(size=(12, 3)).astype("float32")
    found = tf.function(lambda: gradient(half, vectors), jit_compile=True, autograph=False)()
    expected = gradient(full, vectors)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_float32_sees_no_factor():
    model = network("float32")
    assert inner_scale(model) == tangent_scale(model, [tf.ones(2)], [tf.ones(2)]) == 1.0
    tiny = np.full((12, 3), 1e-9, "float32")
    plain = gradient(lambda x: model(x, training=False), tiny)
    np.testing.assert_array_equal(gradient(inference(model), tiny), plain)


@pytest.mark.parametrize(
    "attack",
    [
        attacks.PGD(BALL, steps=5),
        attacks.PGD(L2(0.5), steps=5, relative_step_size=0.5),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_attacks_find_what_they_find_in_float32(attack):
    """Logits of 1e-6: in float16 alone the gradient is zero, and nothing moves."""
    half, full = pair(1e-6)
    y = np.argmax(full(X), axis=1)
    losses = [
        cross_entropy(y, 1e6 * full(attack(model, X, y, seed=0).x)).numpy()
        for model in (half, full)
    ]
    clean = cross_entropy(y, 1e6 * full(X)).numpy()
    assert (losses[1] - clean).mean() > 0.1
    np.testing.assert_allclose(losses[0], losses[1], atol=0.1 * (losses[1] - clean).max())


def test_gradients_inside_a_loss():
    """Input gradients of 1e-7 have no digits left in float16."""
    half, full = pair(1e-6)
    x = tf.constant(X)
    values = []
    for model in (half, full):
        forward = lambda x, m=model: tf.cast(m(x, training=False), tf.float32)  # noqa: E731
        with tf.GradientTape() as tape:
            _, inner = loss_and_gradient(forward, x, Y, inner_scale(model))
            penalty = 1e10 * tf.reduce_sum(tf.square(inner))
        slope = tape.gradient(penalty, model.trainable_variables)
        values.append((penalty.numpy(), [s.numpy() for s in slope if s is not None]))
    np.testing.assert_allclose(values[0][0], values[1][0], rtol=0.05)
