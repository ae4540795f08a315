"""Robust accuracy as a number and as a callback: a closed form, any `fit`, the same training."""

import contextlib
import csv
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import Linf, RobustAccuracy, robust_accuracy
from tfrobust.errors import UserError
from tfrobust.evaluation.robust_accuracy import _Watch

ATTACK = tfrobust.PGD(Linf(0.1), steps=3, relative_step_size=0.5)
RNG = np.random.default_rng(0)
X, Y = RNG.random((60, 4, 4, 1), np.float32), np.arange(60) % 2


def by_mean(x):
    """Class 1 for a mean over 0.5: an attack of radius r changes those within r of it."""
    mean = tf.reduce_mean(x, (1, 2, 3))
    return tf.stack([0.5 - mean, mean - 0.5], 1)


def network(last=None):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(8, "relu")]
    layers += [keras.layers.Dropout(0.5), keras.layers.Dense(2, activation=last)]
    return keras.Sequential(layers)


def fit(model, callbacks=(), epochs=4, logits=True, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    data = {"validation_data": (X[:20], Y[:20]), "batch_size": 20, "verbose": 0, **options}
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **data).history


def test_of_a_linear_classifier_it_is_a_count():
    images = np.clip(RNG.normal(0.5, 0.05, (200, 1, 1, 1)) + np.zeros((1, 4, 4, 1)), 0, 1)
    images, labels = images.astype(np.float32), RNG.integers(0, 2, 200)
    attack = tfrobust.PGD(Linf(0.04), steps=4, relative_step_size=1.0)
    margin = np.where(labels == 1, 1, -1) * (images.mean((1, 2, 3)) - 0.5)
    wanted = np.mean(margin > 0.04)
    assert 0.05 < wanted < 0.4
    for size in (7, 200):
        found = robust_accuracy(by_mean, images, labels, attack, batch_size=size)
        assert found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.slow
def test_any_fit_has_it_and_is_otherwise_the_same():
    watch = RobustAccuracy(ATTACK, (X[:30], Y[:30]), every=2, batch_size=16)
    with_it, without = network(), network()
    history, plain = fit(with_it, [watch]), fit(without)
    for one, other in zip(with_it.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert {k: v for k, v in history.items() if k in plain} == plain
    # Epochs 1, 2 and 4.
    assert np.isfinite(history["val_robust_accuracy"]).tolist() == [True, True, False, True]
    last = robust_accuracy(with_it, X[:30], Y[:30], ATTACK)
    assert history["val_robust_accuracy"][-1] == last
    # A second `fit`, as of a training that goes on: nothing is traced again, and the number depends on the
    # weights only.
    with_it.set_weights(without.get_weights())
    again = fit(with_it, [watch], epochs=2)
    assert watch._watch.judge._judge.experimental_get_tracing_count() == 1
    fresh = RobustAccuracy(ATTACK, (X[:30], Y[:30]), batch_size=16)
    without_again = fit(without, [fresh], epochs=2)
    assert again["val_robust_accuracy"][-1] == without_again["val_robust_accuracy"][-1]


@pytest.mark.parametrize("way", ["several steps in one execution", "bfloat16", "two replicas"])
def test_ways_to_train(way, two_replicas, capsys):
    """The number is that of the function, for the weights at the end."""
    options = {"steps_per_execution": 3} if way.startswith("several") else {}
    scope = two_replicas.scope() if way == "two replicas" else contextlib.nullcontext()
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16" if way == "bfloat16" else policy)
        with scope:
            model = network()
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile("sgd", loss, **options)
    finally:
        keras.config.set_dtype_policy(policy)
    watch = RobustAccuracy(ATTACK, (X, Y), verbose=1)
    history = model.fit(X, Y, batch_size=12, verbose=0, callbacks=[watch]).history
    (found,) = history["val_robust_accuracy"]
    assert found == robust_accuracy(model, X, Y, ATTACK)
    assert f"Epoch 1: val_robust_accuracy {found:.4f} in " in capsys.readouterr().out


def test_keras_s_callbacks_watch_it(tmp_path):
    watch = RobustAccuracy(ATTACK, (X, Y))
    monitor = {"monitor": "val_robust_accuracy", "mode": "max"}
    stop = keras.callbacks.EarlyStopping(patience=1, min_delta=2.0, **monitor)
    path = tmp_path / "best.keras"
    save = keras.callbacks.ModelCheckpoint(path, save_best_only=True, **monitor)
    history = fit(network(), [watch, stop, save], epochs=9)
    assert len(history["val_robust_accuracy"]) == 2 and path.is_file()


def test_between_measurements_nothing_is_better_for_keras_s_callbacks(tmp_path):
    """Keras saves an epoch of which a number is not in the logs, over the best one."""
    watch = RobustAccuracy(ATTACK, (X, Y), every=3)
    told = iter([0.1, 0.5, 0.4, 0.3])
    monitor = {"monitor": "val_robust_accuracy", "mode": "max"}
    path = str(tmp_path / "{epoch}-{val_robust_accuracy:.1f}.keras")
    save = keras.callbacks.ModelCheckpoint(path, save_best_only=True, **monitor)
    stop = keras.callbacks.EarlyStopping(patience=6, restore_best_weights=True, **monitor)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    with mock.patch.object(_Watch, "count", lambda self: next(told)):
        history = fit(network(), [watch, save, stop, log], epochs=20)["val_robust_accuracy"]
    # Measured after the epochs 1, 3, 6 and 9; the best is the third, and six epochs later it ends.
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(history)), [0, 2, 5, 8])
    assert len(history) == 9 and stop.best_epoch == 2
    assert sorted(p.name for p in tmp_path.glob("*.keras")) == ["1-0.1.keras", "3-0.5.keras"]
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["val_robust_accuracy"] for row in rows[:3]] == ["0.1", "nan", "0.5"]


def test_the_examples_are_a_fixed_part_of_all_classes():
    split = tfrobust.data.Split(X, Y)
    given = [
        (X, Y),
        split,
        tfrobust.evaluation.Examples.of(X, Y),
        tf.data.Dataset.from_tensor_slices((X, Y)).batch(7),
    ]
    for data in given:
        chosen = RobustAccuracy(ATTACK, data, examples=10)._split
        assert np.bincount(chosen.labels).tolist() == [5, 5]
        assert chosen.ids.tolist() == RobustAccuracy(ATTACK, split, examples=10)._split.ids.tolist()


def test_a_softmax_is_refused_and_measured_through_adapt():
    model = network("softmax")
    with pytest.raises(UserError, match="tfrobust.adapt"):
        fit(model, [RobustAccuracy(ATTACK, (X, Y))], logits=False)
    adapted = tfrobust.adapt(model, input_range=(0, 1))
    watch = RobustAccuracy(ATTACK, (X, Y), classifier=adapted)
    history = fit(model, [watch], epochs=1, logits=False)
    assert history["val_robust_accuracy"] == [robust_accuracy(adapted, X, Y, ATTACK)]


def test_of_a_method_the_classifier_is_attacked():
    method = tfrobust.recipes.adv(network(), "Linf", 0.1)
    method.compile("sgd")
    options = {"validation_data": (X, Y), "batch_size": 20, "verbose": 0}
    with pytest.raises(UserError, match="another name"):
        method.fit(X, Y, callbacks=[RobustAccuracy(ATTACK, (X, Y))], **options)
    watch = RobustAccuracy(ATTACK, (X, Y), name="val_pgd_3_accuracy")
    history = method.fit(X, Y, callbacks=[watch], **options).history
    found = robust_accuracy(method.classifier, X, Y, ATTACK)
    assert history["val_pgd_3_accuracy"] == [found]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"attack": 3}, "attack"),
        ({"every": 0}, "every"),
        ({"examples": 0}, "examples"),
        ({"data": (X, Y[:3])}, "60 images and 3 labels"),
        ({"data": (X + 1, Y)}, "pixels"),
        ({"batch_size": 0.5}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"verbose": 2}, "verbose"),
    ],
)
def test_what_cannot_work_is_told(settings, told):
    with pytest.raises(UserError, match=told):
        RobustAccuracy(**({"attack": ATTACK, "data": (X, Y)} | settings))


def test_without_data_it_asks_for_some():
    with pytest.raises(UserError, match="data=\\(images, labels\\)"):
        fit(network(), [RobustAccuracy(ATTACK)])
