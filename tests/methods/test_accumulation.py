"""A batch computed in parts makes the step of the whole batch.

All methods: pytest tests/methods/test_accumulation.py -m slow
"""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.methods.conftest import METHODS, WEIGHTS, X, Y
from tfrobust.errors import UserError
from tfrobust.methods import Natural
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.dropout import Dropout
from tfrobust.ops.replicas.global_batch import sum_over_replicas

REFUSED = {"gairat", "grad_align", "rat_reference", "free"}
QUICK = ("llr",)
CASES = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
    for name in METHODS
    if name not in REFUSED
]


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def network():
    """Without BatchNormalization; with dropout, and penalties of weights and of activities."""
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Conv2D(
            2, 3, activation="softplus", activity_regularizer=keras.regularizers.L2(0.01)
        ),
        Dropout(0.2, seed=5),
        keras.layers.Flatten(),
        keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.01)),
    ]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


def trained(make, steps=1, strategy=None, classifier=network, **options):
    """After batches of 7, 7 and 1 examples, with weights."""
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        method = make(classifier(), seed=4)
        optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
        method.compile(optimizer, accumulation_steps=steps, **options)
    data = tf.data.Dataset.from_tensor_slices((X.astype(keras.config.floatx()), Y, WEIGHTS)).batch(
        7
    )
    return method, method.fit(data, verbose=0).history


def assert_equal(one, two, atol, rtol=1e-5):
    (method, history), (other, logs) = one, two
    assert set(history) == set(logs)
    for name in history:
        # Of terms that are differences of numbers near 1, float32 keeps 1e-7.
        np.testing.assert_allclose(logs[name], history[name], rtol=rtol, atol=1e-7, err_msg=name)
    for u, v in zip(method.classifier.variables, other.classifier.variables, strict=True):
        np.testing.assert_allclose(v.numpy(), u.numpy(), rtol=0, atol=atol, err_msg=u.path)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", CASES)
def test_parts_make_the_step_of_the_whole(name):
    whole = trained(METHODS[name])
    assert_equal(whole, trained(METHODS[name], 3), 1e-9)


@pytest.mark.parametrize(
    "name",
    [
        n if n == "jac" else pytest.param(n, marks=pytest.mark.slow)
        for n in METHODS
        if n not in REFUSED
    ],
)
def test_parts_on_two_replicas(name, two_replicas):
    """Parts of 4 and 3 rows, and a replica without any."""
    whole = trained(METHODS[name])
    assert_equal(whole, trained(METHODS[name], 2, two_replicas), 1e-5, 1e-4)


def test_eagerly(eagerly):
    whole = trained(METHODS["adv"])
    assert_equal(whole, trained(METHODS["adv"], 4), 1e-5)


def test_the_step_is_traced_once_and_updates_once(make_classifier):
    method = METHODS["adv_one_step"](make_classifier(), seed=4)
    method.compile("sgd", accumulation_steps=3, metrics=["accuracy"])
    calls, step = [], method.train_step
    method.train_step = lambda data: (calls.append(1), step(data))[1]
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(7)
    method.fit(data, epochs=2, verbose=0)
    assert len(calls) == 1
    assert int(method.optimizer.iterations.numpy()) == int(method.clock.steps.numpy()) == 6


def test_a_saved_method_keeps_the_parts(tmp_path):
    method, _ = trained(METHODS["adv_one_step"], 3)
    method.save(tmp_path / "method.keras")
    assert keras.saving.load_model(tmp_path / "method.keras").accumulation_steps == 3


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_quantities_of_the_whole_batch_are_refused_by_name(name):
    method = METHODS[name](network())
    with pytest.raises(
        UserError, match="needs .*batch.* Leave out accumulation_steps. Received: acc"
    ):
        method.compile("sgd", accumulation_steps=2)
    method.compile("sgd")


def test_what_else_is_refused(two_replicas):
    method = Natural(network())
    with pytest.raises(UserError, match="XLA knows no parts"):
        method.compile("sgd", accumulation_steps=2, jit_compile=True)
    for bad in (0, 1.5, True, "2"):
        with pytest.raises(UserError, match="accumulation_steps"):
            method.compile("sgd", accumulation_steps=bad)
    with two_replicas.scope():
        layers = [BatchNormalization(name="norm"), keras.layers.Flatten(), keras.layers.Dense(3)]
        method = Natural(keras.Sequential([keras.Input((4, 4, 1)), *layers]))
        with pytest.raises(
            UserError, match="'norm', a BatchNormalization, normalises by the batch"
        ):
            method.compile("sgd", accumulation_steps=2)


def test_a_sum_over_the_batch_of_ones_own_is_refused():
    class Own(Natural):
        def per_example_loss(self, context):
            loss = super().per_example_loss(context)
            return loss * sum_over_replicas(tf.reduce_mean(loss))

    with pytest.raises(UserError, match="A sum over the global batch is not known"):
        trained(Own, 2)


def test_batch_normalization_normalises_each_part(make_classifier):
    """As a loop over its parts does that normalises each by itself and sums gradients."""
    x, y = X[:6], Y[:6]

    def network():
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Flatten(), BatchNormalization(), keras.layers.Dense(3)]
        return keras.Sequential([keras.Input((4, 4, 1)), *layers])

    method = Natural(network())
    method.compile(keras.optimizers.SGD(0.5), accumulation_steps=2)
    method.train_on_batch(x, y)
    by_hand = network()
    with tf.GradientTape() as tape:
        logits = tf.concat([by_hand(x[:3], training=True), by_hand(x[3:], training=True)], 0)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    slopes = tape.gradient(loss, [v.value for v in by_hand.trainable_variables])
    for variable, slope in zip(by_hand.trainable_variables, slopes, strict=True):
        variable.assign_sub(0.5 * slope)
    for ours, theirs in zip(method.classifier.weights, by_hand.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6, err_msg=ours.path)
