"""GAT's start, its guided step worked out by hand, its alternation, and what it is without beta."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean, Corner
from tfrobust.errors import UserError
from tfrobust.losses import Bregman, SquaredNorm
from tfrobust.methods import GAT, TRADES
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import BatchKeys, keys_of
from tfrobust.threat_models import Linf

pytestmark = pytest.mark.usefixtures("eagerly")

GUIDED = PGD(Linf(0.1), steps=1, relative_step_size=1.0, start=Corner(0.5))


def test_corner():
    """Every pixel moves by half the radius, up as often as down, within the box."""
    x = tf.fill([50, 8, 8, 1], 0.5)
    radius = tf.constant(0.2)
    moved = (Corner(0.5)(Linf(0.2), x, radius, keys_of(1)) - x).numpy()
    np.testing.assert_allclose(np.abs(moved), 0.1, atol=1e-6)
    assert abs((moved > 0).mean() - 0.5) < 0.03
    again = Corner("1/2")(Linf(0.2), x[20:], radius, BatchKeys(keys_of(1).seed, 20)) - x[20:]
    np.testing.assert_array_equal(again, moved[20:])  # rows of the global batch
    at_the_edge = Corner(1.0)(Linf(0.2), tf.zeros_like(x), radius, keys_of(1))
    np.testing.assert_array_equal(at_the_edge, np.where(moved > 0, np.float32(0.2), 0.0))


def classifier():
    """z = (s1, s2, 0) from two pixels; BatchNormalization makes training and inference differ."""
    model = keras.Sequential(
        [
            keras.Input((1, 2, 1)),
            BatchNormalization(momentum=0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(3, use_bias=False),
        ]
    )
    model.layers[-1].kernel.assign([[1.0, 0.0, 0.5], [0.3, 1.0, -0.7]])
    model.layers[0].moving_mean.assign([0.5])
    return model


X = np.array([[0.1, 0.7], [0.6, 0.5], [0.55, 0.6]], "float32").reshape(3, 1, 2, 1)
Y = np.array([1, 0, 2])


def adversarial_of_steps(count, **settings):
    """What the attack makes in each of some steps at rate 0, and the running mean after it."""
    attack = PGD(Linf(0.1), steps=1, relative_step_size=1.0, start=Clean())
    method = GAT(classifier(), attack, **settings)
    method.compile(keras.optimizers.SGD(0.0))
    seen, perturb = [], method.perturb

    def recording(step):
        found = perturb(step)
        seen.append(found[0].x.numpy())
        return found

    method.perturb = recording
    means = []
    for _ in range(count):
        method.train_on_batch(X, Y)
        means.append(method.classifier.layers[0].moving_mean.numpy())
    return zip(seen, means, strict=True)


def expected(weight, mean):
    """One step along the sign of the gradient of CE + weight * SE(P, p(x)), P by the batch's statistics."""
    model = classifier()
    x = tf.constant(X)
    model.layers[0].moving_mean.assign(mean[0])
    model.layers[0].moving_variance.assign(mean[1])
    batch_mean, batch_variance = X.mean(), X.var()
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model(x, training=False)
        normal = tf.reshape((X - batch_mean) / np.sqrt(batch_variance + 1e-5), (3, 2))
        guide = tf.nn.softmax(normal @ model.layers[-1].kernel)
        squares = tf.reduce_sum(tf.square(guide - tf.nn.softmax(logits)), axis=1)
        cross_entropy = tf.keras.losses.sparse_categorical_crossentropy(Y, logits, True)
        total = tf.reduce_sum(cross_entropy + weight * squares)
    return np.clip(X + 0.1 * np.sign(tape.gradient(total, x)), 0, 1)


@pytest.mark.parametrize("alternate", [True, False])
def test_the_guided_step(alternate):
    """a is 0, 1, 0, 1, or always 1; the two steps differ."""
    moments = [0.5], [1.0]
    steps = adversarial_of_steps(4, beta=50.0, alternate=alternate)
    for index, (x, mean) in enumerate(steps):
        weight = 50.0 if index % 2 or not alternate else 0.0
        np.testing.assert_allclose(x, expected(weight, moments), atol=1e-6)
        # The running averages move by the passes of the loss, clean and adversarial, not by the guide's.
        for values in (X, x):
            n = values.size
            batch = values.mean(), values.var() * n / (n - 1)
            moments = [0.5 * np.asarray(m) + 0.5 * b for m, b in zip(moments, batch, strict=True)]
        np.testing.assert_allclose(mean, moments[0], rtol=1e-5)
    assert np.abs(expected(50.0, ([0.5], [1.0])) - expected(0.0, ([0.5], [1.0]))).max() > 0.1


def test_modes_of_the_passes():
    """The guide in training mode, the attack's step in inference mode, then clean and adversarial."""
    modes = []

    class Recorder(keras.layers.Layer):
        def call(self, x, training=None):
            modes.append(training)
            return x

    model = keras.Sequential([Recorder(), keras.layers.Flatten(), keras.layers.Dense(3)])
    model(X)
    method = GAT(model, GUIDED)
    method.compile(keras.optimizers.SGD(0.1))
    method.train_on_batch(X, Y)
    del modes[:]
    method.train_on_batch(X, Y)
    assert modes == [True, False, True, True]


def test_without_beta_it_is_trades_without_beta(same_weights):
    def run(make):
        method = make(classifier())
        method.compile(keras.optimizers.SGD(0.1))
        for _ in range(3):
            method.train_on_batch(X, Y)
        return method.classifier

    plain = run(lambda c: TRADES(c, GUIDED, beta=0.0))
    same_weights(run(lambda c: GAT(c, GUIDED, beta=0.0)), plain, atol=1e-6)
    # a = 1 with beta 1: TRADES on squared errors with another attack.
    squared = {"divergence": Bregman(SquaredNorm()), "label_divergence": Bregman()}
    first = run(lambda c: TRADES(c, GUIDED, beta=2.0, **squared))
    with pytest.raises(AssertionError):
        same_weights(run(lambda c: GAT(c, GUIDED, beta=2.0, alternate=False)), first, atol=1e-3)


def test_refusals(make_classifier):
    with pytest.raises(UserError, match="`alternate` must be of kind bool"):
        GAT(make_classifier(), GUIDED, alternate=1)
    with pytest.raises(UserError, match="`size` must lie between 0 and 1"):
        Corner(2)
