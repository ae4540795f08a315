"""What Keras's own callbacks, arguments and reports ask of a model, side by side with `keras.Model`."""

import inspect

import keras
import numpy as np
import pytest

from tfrobust.attacks import PGD
from tfrobust.data import Split, evaluation_dataset
from tfrobust.methods import ADV, Natural
from tfrobust.threat_models import Linf

ATTACK = PGD(Linf(0.1), steps=1)
RNG = np.random.default_rng(3)
X, Y = RNG.random((10, 4, 4, 1)).astype("float32"), np.arange(10) % 3
WEIGHTS = np.array([0.0, 1, 2, 3, 0.5, 0, 1, 4, 1, 2], "float32")


def network():
    keras.utils.set_random_seed(2)
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])


@pytest.fixture(scope="module")
def validated():
    method = Natural(network(), eval_attack=ATTACK)
    method.compile(keras.optimizers.SGD(0.0))
    method.evaluate(X, Y, verbose=0)
    return method


@pytest.mark.parametrize("accuracy", ["accuracy", "robust_accuracy"])
def test_callbacks_know_that_more_accuracy_is_better(accuracy, validated, tmp_path):
    monitor, callbacks = f"val_{accuracy}", keras.callbacks
    for callback in (
        callbacks.EarlyStopping(monitor, patience=1),
        callbacks.ReduceLROnPlateau(monitor),
        callbacks.ModelCheckpoint(tmp_path / "a.keras", monitor=monitor, save_best_only=True),
    ):
        options = {"callbacks": [callback], "verbose": 0}
        validated.fit(X, Y, epochs=1, validation_data=(X, Y), **options)
        assert callback.monitor_op(2.0, 1.0) and not callback.monitor_op(1.0, 2.0)


def test_signatures_are_those_of_keras():
    for name in ("fit", "evaluate", "predict"):
        ours, theirs = (inspect.signature(getattr(c, name)) for c in (ADV, keras.Model))
        assert [(p.name, p.default) for p in ours.parameters.values()] == [
            (p.name, p.default) for p in theirs.parameters.values()
        ]


def test_positional_arguments(validated):
    assert validated.fit(X, Y, 5, 1, 0).epoch == [0]
    assert np.isfinite(validated.evaluate(X, Y, 5, 0)).all()
    assert validated.predict(X, 5, 0).shape == (10, 3)


def test_names_are_in_the_order_of_the_list(validated):
    top = keras.metrics.SparseTopKCategoricalAccuracy(2, name="a_top")
    other = Natural(network(), eval_attack=ATTACK)
    other.compile("sgd", metrics=[top])
    for method in (validated, other):
        values = method.evaluate(X, Y, verbose=0)
        named = method.evaluate(X, Y, verbose=0, return_dict=True)
        assert dict(zip(method.metrics_names, values, strict=True)) == named
    assert other.metrics_names == ["loss", "accuracy", "robust_accuracy", "a_top"]
    on_batch = other.test_on_batch(X, Y)
    np.testing.assert_allclose(on_batch, values, rtol=1e-6)


def keras_reports(**options):
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, **options)
    return model


@pytest.mark.parametrize(
    "options",
    [{"metrics": ["accuracy"]}, {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}],
    ids=len,
)
def test_weights_weigh_what_they_weigh_in_keras(options):
    """Examples of weight 0 included; sample weights, class weights, in training and in evaluation."""
    method = Natural(network(), eval_attack=PGD(Linf(0.0), steps=1))
    weighted = {"weighted_metrics": options.get("weighted_metrics")}
    method.compile(keras.optimizers.SGD(0.0), **weighted)
    plain = keras_reports(**options)
    given = {"sample_weight": WEIGHTS, "return_dict": True, "verbose": 0, "batch_size": 4}
    ours, theirs = method.evaluate(X, Y, **given), plain.evaluate(X, Y, **given)
    assert ours.pop("robust_accuracy") == ours["accuracy"]
    assert ours == pytest.approx(theirs, rel=1e-6)
    given = {"class_weight": {0: 0.0, 1: 3.0, 2: 1.0}, "verbose": 0}
    ours, theirs = method.fit(X, Y, **given).history, plain.fit(X, Y, **given).history
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-6, err_msg=name)


def test_rows_that_fill_a_batch_count_nowhere():
    """Ten examples in batches of four: compiled metrics, weighted or not, see ten rows."""
    seen = [keras.metrics.SparseCategoricalAccuracy(name="seen")]
    method = Natural(network(), eval_attack=ATTACK)
    method.compile("sgd", metrics=seen, weighted_metrics=["accuracy"])
    split = Split(X, Y, np.arange(10))
    padded = method.evaluate(evaluation_dataset(split, 4), verbose=0, return_dict=True)
    exact = method.evaluate(X, Y, batch_size=5, verbose=0, return_dict=True)
    assert padded == pytest.approx(exact, rel=1e-6)
    assert padded["seen"] == padded["accuracy"] == padded["weighted_accuracy"]
