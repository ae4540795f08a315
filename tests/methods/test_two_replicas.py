"""One device equals two, for the same global batches of 7, 7 and 1: remainders and an empty replica."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.methods import ADV, Natural
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.dropout import Dropout
from tfrobust.threat_models import Linf


def trained(strategy, make, classifier, data, optimizer, epochs=1, **options):
    scope = contextlib.nullcontext() if strategy is None else strategy.scope()
    with scope:
        method = make(classifier())
        method.compile(optimizer(), **options)
    return method, method.fit(data, epochs=epochs, verbose=0).history


def assert_equal(one, two):
    (method, history), (other, logs) = one, two
    assert set(history) == set(logs)
    for name in history:
        np.testing.assert_allclose(logs[name], history[name], rtol=2e-5, err_msg=name)
    for u, v in zip(method.classifier.weights, other.classifier.weights, strict=True):
        np.testing.assert_allclose(v.numpy(), u.numpy(), rtol=0, atol=5e-6, err_msg=u.path)


def momentum():
    return keras.optimizers.SGD(0.02, momentum=0.9)


def test_one_device_equals_two(make_method, make_classifier, data, two_replicas):
    """BatchNormalization, Dropout, weights of examples, penalties, AWP, random starts, all in one."""
    results = [
        trained(strategy, lambda c: make_method(c, seed=4), make_classifier, data, momentum)
        for strategy in (None, two_replicas)
    ]
    assert_equal(*results)


def clipping():
    return keras.optimizers.SGD(0.5, global_clipnorm=0.05)


def test_validation_metrics_and_clipping(make_classifier, data, two_replicas):
    """What is clipped is the gradient of the global batch; an unbuilt classifier builds in the scope."""
    evaluation = PGD(Linf(0.1), steps=1)
    results = []
    for strategy in (None, two_replicas):
        with contextlib.nullcontext() if strategy is None else strategy.scope():
            method = Natural(make_classifier("subclassed"), eval_attack=evaluation)
            method.compile(clipping(), metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2)])
        history = method.fit(data, validation_data=data, verbose=0).history
        results.append((method, history))
        logits = method.predict(data.map(lambda x, y, w: x), verbose=0)
        results[-1][1]["predicted"] = logits
    assert {"val_robust_accuracy", "val_sparse_top_k_categorical_accuracy"} <= set(history)
    assert results[0][1].pop("predicted").shape == results[1][1].pop("predicted").shape == (15, 3)
    assert_equal(*results)
    # Three steps of 0.5 * 0.05 at most: the clipping was felt.
    with_scope = trained(
        None,
        Natural,
        lambda: make_classifier("subclassed"),
        data,
        lambda: keras.optimizers.SGD(0.5),
    )
    with pytest.raises(AssertionError):
        assert_equal(results[0], with_scope)


@pytest.mark.parametrize("limit", [{"clipnorm": 0.1}, {"clipvalue": 0.02}], ids=str)
def test_clipping_by_hand(limit, two_replicas):
    """Two replicas hold (0.1, 0.3) of the gradient: it is 0.4 in all, and clipped once."""
    from tfrobust.methods.update import apply

    with two_replicas.scope():
        variable = keras.Variable([1.0, 0.0])
        optimizer = keras.optimizers.SGD(1.0, **limit)
        optimizer.build([variable])

    @tf.function
    def step():
        def replica():
            context = tf.distribute.get_replica_context()
            index = tf.cast(tf.convert_to_tensor(context.replica_id_in_sync_group), tf.float32)
            apply(optimizer, [tf.stack([0.1 + 0.2 * index, 0.0])], [variable], 2)

        two_replicas.run(replica)

    step()
    np.testing.assert_allclose(variable.numpy(), [1.0 - next(iter(limit.values())), 0.0], rtol=1e-6)


def sequential(*layers):
    return keras.Sequential([keras.Input((4, 4, 1)), *layers, keras.layers.Flatten()])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            keras.layers.BatchNormalization,
            "different model than one. Use tfrobust.models.with_exact",
        ),
        (lambda: keras.layers.Dropout(0.5), "a Dropout, draws the same numbers on every replica"),
        (lambda: keras.layers.GaussianNoise(0.1), "augment images in the dataset"),
    ],
)
def test_layers_that_would_train_another_model(layer, message, two_replicas):
    Natural(sequential(layer())).compile("sgd")  # one device
    with two_replicas.scope():
        method = Natural(sequential(layer()))
        with pytest.raises(UserError, match=message):
            method.compile("sgd")


def test_layers_that_are_allowed(two_replicas):
    with two_replicas.scope():
        frozen = keras.layers.BatchNormalization(trainable=False)
        layers = (frozen, BatchNormalization(), Dropout(0.5), keras.layers.Dropout(0.0))
        Natural(sequential(*layers)).compile("sgd")


@pytest.mark.parametrize(
    ("optimizer", "options", "message"),
    [
        (lambda: keras.optimizers.SGD(gradient_accumulation_steps=2), {}, "accumulate gradients"),
        (keras.optimizers.SGD, {"jit_compile": True}, "XLA cannot compile the whole step"),
        (
            lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(clipnorm=1.0)),
            {},
            "cannot clip gradients as one device does",
        ),
    ],
)
def test_what_keras_cannot_do(optimizer, options, message, two_replicas):
    with two_replicas.scope():
        method = Natural(sequential())
        with pytest.raises(UserError, match=message):
            method.compile(optimizer(), **options)


def test_other_strategies(monkeypatch):
    method = Natural(sequential())

    class Other:
        num_replicas_in_sync = 2

    monkeypatch.setattr(type(method), "distribute_strategy", Other())
    with pytest.raises(UserError, match="MirroredStrategy. Received: Other"):
        method.compile("sgd")


def test_batch_statistics_in_the_attack_are_refused(make_classifier, data, two_replicas):
    def make(classifier):
        return ADV(classifier, PGD(Linf(0.1), steps=1), attack_statistics="batch")

    with pytest.raises(UserError, match="inside an attack's loop"):
        trained(two_replicas, make, make_classifier, data, momentum)
