"""What is measured after an epoch, against closed forms of linear models."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.errors import UserError
from tfrobust.training import RecordDivergences, RecordJacobianNorm

RNG = np.random.default_rng(0)
X, Y = RNG.random((40, 2, 2, 1), np.float32), np.arange(40) % 2


def make_method(seed=0, classes=2):
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(classes)]
    method = tfrobust.TRADES(
        keras.Sequential(layers), tfrobust.PGD(tfrobust.Linf(0.1), steps=1), beta=1.0
    )
    method.compile(keras.optimizers.SGD(0.5))
    return method


def measure(callback, method):
    callback.set_model(method)
    callback.on_train_begin()
    logs = {"loss": 1.0}
    callback.on_epoch_end(0, logs)
    return logs


def test_two_pieces_are_at_most_one_for_two_classes():
    # A linear model of two classes moves along one line: the early iterate lies between (Lemma 1).
    logs = measure(RecordDivergences(tfrobust.Linf(0.1), data=(X, Y)), make_method())
    assert 0 < logs["divergence_two_pieces"] < logs["divergence_one_piece"]
    assert logs["loss"] == 1.0


def test_the_pieces_are_those_of_the_attack():
    method, record = make_method(classes=3), RecordDivergences(tfrobust.Linf(0.1), 3, data=(X, Y))
    logs = measure(record, method)
    assert record.attack.keep == (3,)
    keys = tfrobust.ops.random.keys.content_keys((0, 0), tf.constant(X))
    found = record.attack(method.classifier, X, Y, seed=keys)
    p, early, late = (
        tf.nn.softmax(method.classifier(x)).numpy().astype(float)
        for x in (X, found.path[0], found.x)
    )

    def kl(a, b):
        return np.sum(a * np.log(a / b), axis=1)

    assert logs["divergence_one_piece"] == pytest.approx(kl(p, late).mean(), rel=1e-3)
    wanted = (kl(p, early) + kl(early, late)).mean()
    assert logs["divergence_two_pieces"] == pytest.approx(wanted, rel=1e-3)


def test_the_jacobian_of_a_linear_model_is_its_kernel():
    method = make_method(classes=3)
    attack = tfrobust.PGD(tfrobust.Linf(0.1), steps=1)
    # 8-bit images count as k / 255.
    data = (np.round(X * 255).astype(np.uint8), Y)
    logs = measure(RecordJacobianNorm(attack, examples=7, data=data), method)
    kernel = np.asarray(method.classifier.layers[-1].kernel)
    assert logs["jacobian_norm"] == pytest.approx(np.linalg.norm(kernel), rel=1e-5)


def test_examples_are_measured_in_parts_of_one_size(monkeypatch):
    method, whole = make_method(classes=3), {}
    for rows in (128, 7):
        monkeypatch.setattr("tfrobust.training.measurements.base._ROWS", rows)
        for record in (RecordDivergences(data=(X, Y)), RecordJacobianNorm(data=(X, Y))):
            found = measure(record, method)
            assert record._compiled.experimental_get_tracing_count() == 1
            for name, value in found.items():
                assert value == pytest.approx(
                    whole.setdefault((type(record), name), value), rel=1e-5
                )

    class Mean(tfrobust.training.Measurement):
        def measure(self, x, y):
            return {"level": tf.reduce_mean(x)}

    with pytest.raises(
        UserError, match=r"each example, of shape \(7,\). Received: level of shape \(\)"
    ):
        measure(Mean(data=(X, Y)), method)


def test_images_and_labels_are_those_of_the_contract():
    method, attack = make_method(), tfrobust.PGD(tfrobust.Linf(0.1), steps=2)
    soft = np.eye(2, dtype=np.float32)[Y]
    named, shares = (
        measure(RecordJacobianNorm(attack, data=(X, labels)), method) for labels in (Y, soft)
    )
    assert named == shares
    for data, words in (
        ((255 * X, Y), r"\[0, 1\]"),
        ((X[..., 0], Y), "Add the channel"),
        ((X, Y[:-1]), "39 labels for 40 images"),
        ((X, 2 * soft), "sum to 1"),
        ((X, Y + 1), "between 0 and 1"),
    ):
        with pytest.raises(UserError, match=words):
            measure(RecordJacobianNorm(attack, data=data), method)


def test_training_is_the_same_with_and_without():
    weights = []
    for callbacks in ([], [RecordDivergences(tfrobust.Linf(0.1), data=(X, Y))]):
        method = make_method()
        history = method.fit(X, Y, epochs=2, batch_size=8, verbose=0, callbacks=callbacks)
        weights.append(method.classifier.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(history.history["divergence_one_piece"]) == 2


def test_without_images_it_says_so():
    record = RecordDivergences(tfrobust.Linf(0.1))
    record.set_model(make_method())
    with pytest.raises(UserError, match="needs images"):
        record.on_train_begin()
    with pytest.raises(UserError, match="must be in 1..9"):
        RecordDivergences(tfrobust.Linf(0.1), iterate=10)


def test_without_an_attack_of_its_own_it_takes_that_of_the_training():
    method = make_method(classes=3)
    for record, given in (
        (RecordJacobianNorm(data=(X, Y)), RecordJacobianNorm(method.attack, data=(X, Y))),
        (
            RecordDivergences(data=(X, Y)),
            RecordDivergences(method.attack.threat_model, data=(X, Y)),
        ),
    ):
        assert measure(record, method) == measure(given, method)
    natural = tfrobust.recipes.natural(method.classifier, "Linf", 0.1)
    validation = RecordJacobianNorm(data=(X, Y))
    method.eval_attack = natural.eval_attack
    validation.set_model(method)
    assert validation.find_attack() is method.attack
    validation.set_model(natural)
    assert validation.find_attack() is natural.eval_attack
    natural.eval_attack = None
    with pytest.raises(UserError, match="Natural has none, and its `eval_attack` is None"):
        validation.find_attack()
