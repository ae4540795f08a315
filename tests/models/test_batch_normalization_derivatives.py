"""Derivatives through BatchNormalization in train mode against central differences, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.models.batch_normalization import BatchNormalization

BATCH, FEATURES, CLASSES = 5, 4, 3


def network(layer_class):
    """Two normalised softplus layers, float64, images of 2 by 2."""
    model = keras.Sequential([keras.Input((2, 2, 2), dtype="float64")])
    for filters in (6, 5):
        model.add(keras.layers.Conv2D(filters, 2, padding="same", dtype="float64"))
        model.add(layer_class(epsilon=1e-5, dtype="float64"))
        model.add(keras.layers.Activation("softplus", dtype="float64"))
    model.add(keras.layers.Flatten(dtype="float64"))
    model.add(keras.layers.Dense(CLASSES, dtype="float64"))
    rng = np.random.default_rng(3)
    for v in model.trainable_variables:
        v.assign(rng.normal(0.3, 0.5, v.shape))
    return model


class Problem:
    def __init__(self, layer_class):
        self.model = network(layer_class)
        self.variables = [v.value for v in self.model.trainable_variables]
        rng = np.random.default_rng(4)
        self.x = tf.constant(rng.uniform(size=(BATCH, 2, 2, 2)))
        self.y = tf.constant(rng.integers(CLASSES, size=BATCH))
        self.delta = tf.constant(rng.normal(size=self.x.shape))
        self.projection = tf.constant(rng.normal(size=(BATCH, CLASSES)))
        self.direction = [tf.constant(rng.normal(size=v.shape)) for v in self.variables]

    def logits(self, x):
        return self.model(x, training=True)

    def loss(self, x):
        return tf.nn.sparse_softmax_cross_entropy_with_logits(self.y, self.logits(x))

    def jacobian_penalty(self):
        with tf.GradientTape() as tape:
            tape.watch(self.x)
            projected = tf.reduce_sum(self.projection * self.logits(self.x))
        return tf.reduce_sum(tape.gradient(projected, self.x) ** 2)

    def linear_term(self):
        with tf.GradientTape() as tape:
            tape.watch(self.x)
            loss = tf.reduce_sum(self.loss(self.x))
        product = self.delta * tape.gradient(loss, self.x)
        return tf.reduce_sum(tf.abs(tf.reduce_sum(product, (1, 2, 3))))

    def first_and_second(self):
        with tf.autodiff.ForwardAccumulator(self.variables, self.direction) as outer:
            with tf.autodiff.ForwardAccumulator(self.variables, self.direction) as inner:
                logits = self.logits(self.x)
            first = inner.jvp(logits)
        return first, outer.jvp(first)

    def taylor_term(self):
        _, second = self.first_and_second()
        return tf.reduce_sum(second**2)

    def along(self, f, step):
        """f at the weights moved by `step` along the direction."""
        for v, d in zip(self.variables, self.direction):
            v.assign_add(step * d)
        value = f().numpy()
        for v, d in zip(self.variables, self.direction):
            v.assign_sub(step * d)
        return value

    def slope_error(self, f, step=1e-5):
        """Relative error of the gradient of `f` along the direction: a fourth-order difference."""

        @tf.function
        def slope():
            with tf.GradientTape() as tape:
                value = f()
            gradients = tape.gradient(value, self.variables, unconnected_gradients="zero")
            return tf.add_n([tf.reduce_sum(g * d) for g, d in zip(gradients, self.direction)])

        f = tf.function(f)
        one = self.along(f, step) - self.along(f, -step)
        two = self.along(f, 2 * step) - self.along(f, -2 * step)
        difference = (8 * one - two) / (12 * step)
        return abs(float(slope()) - difference) / abs(difference)

    def second_error(self, step=1e-3):
        """Relative error of the second directional derivative of the logits."""
        first, second = tf.function(self.first_and_second)()
        f = tf.function(lambda: self.logits(self.x))
        two, one, zero = (self.along(f, s) + self.along(f, -s) for s in (2 * step, step, 0))
        difference = (16 * one - two - 15 * zero) / (12 * step**2)
        plus, minus = self.along(f, step / 100), self.along(f, -step / 100)
        np.testing.assert_allclose(first, (plus - minus) / (step / 50), rtol=1e-5, atol=1e-7)
        return np.abs(second - difference).max() / np.abs(difference).max()


@pytest.fixture(scope="module")
def exact():
    return Problem(BatchNormalization)


@pytest.fixture(scope="module")
def stock():
    return Problem(keras.layers.BatchNormalization)


# The stock layer is here to show that these checks can fail, and why this package has its own.
def test_gradient_of_a_jacobian_penalty(exact, stock):
    assert exact.slope_error(exact.jacobian_penalty) < 1e-7
    assert stock.slope_error(stock.jacobian_penalty) > 1e-3


def test_gradient_of_the_linear_term(exact, stock):
    assert exact.slope_error(exact.linear_term) < 1e-7
    assert stock.slope_error(stock.linear_term) > 1e-3


def test_second_derivative_in_weight_space(exact, stock):
    assert exact.second_error() < 1e-6
    assert stock.second_error() > 1e-2


@pytest.mark.slow
def test_third_derivatives(exact):
    assert exact.slope_error(exact.taylor_term, step=1e-4) < 1e-6


def test_eager_gradients_equal_traced_ones(exact):
    def gradients():
        with tf.GradientTape() as tape:
            penalty = exact.jacobian_penalty()
        return tape.gradient(penalty, exact.variables, unconnected_gradients="zero")

    for eager, traced in zip(gradients(), tf.function(gradients)()):
        np.testing.assert_allclose(eager, traced, rtol=1e-9, atol=1e-12)
