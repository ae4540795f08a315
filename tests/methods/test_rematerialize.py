"""Blocks that are computed again make the same step.

All methods: pytest tests/methods/test_rematerialize.py -m slow
"""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.methods.conftest import METHODS, WEIGHTS, X, Y
from tfrobust.errors import UserError
from tfrobust.methods import Natural
from tfrobust.methods.segments import divide
from tfrobust.models import digits_cnn, preact_resnet18
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.dropout import Dropout
from tfrobust.ops.rematerialize import rematerialize


def residual():
    """Two blocks with normalisation, dropout, and penalties of weights and of activities."""
    keras.utils.set_random_seed(1)
    penalty = keras.regularizers.L2(0.01)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(3, 3, padding="same")(inputs)
    for seed in (5, 6):
        h = BatchNormalization()(x)
        h = keras.layers.Activation("softplus")(h)
        h = keras.layers.Conv2D(3, 3, padding="same", kernel_regularizer=penalty)(h)
        h = Dropout(0.2, seed=seed)(h)
        x = keras.layers.Add(name=f"add{seed}")([x, h])
    x = keras.layers.Flatten(activity_regularizer=penalty)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def trained(make, strategy=None, **options):
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        method = make(residual(), seed=4)
        method.compile(keras.optimizers.SGD(0.05, momentum=0.9), **options)
    data = tf.data.Dataset.from_tensor_slices((X, Y, WEIGHTS)).batch(7)
    return method, method.fit(data, verbose=0).history


def assert_equal(one, two, atol=1e-5):
    (method, history), (other, logs) = one, two
    for name in history:
        np.testing.assert_allclose(logs[name], history[name], rtol=1e-4, err_msg=name)
    for u, v in zip(method.classifier.variables, other.classifier.variables, strict=True):
        np.testing.assert_allclose(v.numpy(), u.numpy(), rtol=0, atol=atol, err_msg=u.path)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_the_same_step(name):
    """Weights, statistics, dropout's state and all numbers in the log, after three steps."""
    plain, again = trained(METHODS[name]), trained(METHODS[name], rematerialize=True)
    assert len(again[0].segments) == 3
    assert_equal(plain, again)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fait_mer", "llr"])
def test_on_two_replicas_and_in_parts(name, two_replicas):
    alone = trained(METHODS[name])
    # Two replicas sum in another order.
    assert_equal(alone, trained(METHODS[name], two_replicas, rematerialize=True), atol=5e-5)
    parts = trained(METHODS[name], accumulation_steps=2)
    assert_equal(parts, trained(METHODS[name], accumulation_steps=2, rematerialize=True))


def test_derivatives_of_every_order():
    rng = np.random.default_rng(0)
    x, w = tf.constant(rng.normal(size=(4, 5))), tf.constant(rng.normal(size=(5, 5)))

    def block(x, w):
        return [tf.nn.softplus(tf.tanh(x @ w) @ w)]

    def derivatives(order):
        kept = rematerialize(block, order)
        with tf.GradientTape(persistent=True) as outer:
            outer.watch([x, w])
            with tf.GradientTape() as middle:
                middle.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    y = tf.reduce_sum(tf.sin(kept(kept(x, w)[0], w)[0]))
                first = inner.gradient(y, x)
                loss = tf.reduce_sum(first**2)
            second = middle.gradient(loss, x)
            third = tf.reduce_sum(tf.sin(second))
        return [first, second, *outer.gradient(third, [x, w])]

    with tf.autodiff.ForwardAccumulator(w, tf.ones_like(w)) as plain:
        expected = block(block(x, w)[0], w)[0]
    with tf.autodiff.ForwardAccumulator(w, tf.ones_like(w)) as ahead:
        kept = rematerialize(block)
        found = kept(kept(x, w)[0], w)[0]
    np.testing.assert_allclose(ahead.jvp(found), plain.jvp(expected), rtol=1e-12)
    for order in (1, 2):
        for a, b in zip(derivatives(order), derivatives(0), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_what_is_computed_again():
    """Once forward, once more for the gradient, and for the gradient of that."""
    runs = []

    def block(x):
        runs.append(1)
        return [tf.sin(x)]

    x = tf.constant(1.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = rematerialize(block)(x)[0]
        assert len(runs) == 1
        slope = inner.gradient(y, x)
        assert len(runs) == 2
    np.testing.assert_allclose(outer.gradient(slope, x), -np.sin(1.0), rtol=1e-6)
    assert len(runs) == 3


def test_where_a_classifier_is_cut():
    model = preact_resnet18(2)
    assert len(divide(model, True)) == 9  # eight blocks, and what follows
    assert divide(model, False) is None
    assert len(divide(digits_cnn(), True)) > 1
    assert len(divide(model, [model.layers[1].name])) == 2
    x = np.random.default_rng(0).random((2, 32, 32, 3)).astype("float32")
    parts = divide(model, True)
    pairs = [
        [(v, v.value) for v in vs]
        for vs in (model.trainable_variables, model.non_trainable_variables)
    ]
    np.testing.assert_allclose(
        parts.run(tf.constant(x), *pairs, False)[0], model(x), rtol=1e-5, atol=1e-6
    )


def test_where_it_cannot_be_cut(make_classifier):
    model = preact_resnet18(2)
    inside = next(
        layer.name for layer in model.layers if isinstance(layer, keras.layers.Activation)
    )
    with pytest.raises(UserError, match="layers through which everything goes. Received"):
        Natural(model).compile("sgd", rematerialize=[inside])
    with pytest.raises(UserError, match="cuts functional and sequential models"):
        Natural(make_classifier("subclassed")).compile("sgd", rematerialize=True)


def test_a_saved_method_and_its_classifier_know_nothing_of_segments(tmp_path):
    plain, again = trained(Natural), trained(Natural, rematerialize=["add5", "add6"])
    names = [[v.name for v in method.variables] for method, _ in (plain, again)]
    assert names[0] == names[1]
    again[0].save(tmp_path / "method.keras")
    loaded = keras.saving.load_model(tmp_path / "method.keras")
    assert list(loaded.rematerialize) == ["add5", "add6"] and len(loaded.segments) == 3
