"""Whatever holds a classifier gives the same logits, and what holds none says so."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.evaluation.fingerprint import identify
from tfrobust.evaluation.subject import Subject
from tfrobust.models import digits_cnn
from tfrobust.serving import export_classifier

X = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A classifier, and the folder of a run that has exported it."""
    keras.utils.set_random_seed(0)
    model, folder = digits_cnn(), tmp_path_factory.mktemp("run")
    export_classifier(model, folder / "export")
    (folder / "config.gin").write_text("")
    return model, folder


@pytest.mark.parametrize(
    "place", ["", "export", "export/classifier.keras", "export/1", "keras_export"]
)
def test_paths_of_all_kinds(saved, place):
    model, folder = saved
    if place == "keras_export" and not (folder / place).exists():
        model.export(folder / place, verbose=False)
    subject = Subject.of(folder / place)
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = subject.forward(x)
    np.testing.assert_allclose(logits, model(X, training=False), atol=1e-5)
    assert np.abs(tape.gradient(logits, x)).max() > 0
    assert subject.folder == (folder if place in ("", "export") else None)


class Subclassed(keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x, training=None):
        return self.inner(x, training=training)


def test_models_and_functions_of_all_kinds(saved):
    model, _ = saved
    expected = model(X, training=False)
    models = {
        "functional": model,
        "sequential": keras.Sequential([keras.Input((8, 8, 1)), model]),
        "subclassed": Subclassed(model),
        "function": lambda x: model(x, training=False),
        "numpy": Subject.of_numpy(lambda x: model(x, training=False).numpy(), 10),
    }
    for kind, given in models.items():
        subject = Subject.of(given)
        for logits in (subject.forward(tf.constant(X)), tf.function(subject.forward)(X)):
            np.testing.assert_allclose(logits, expected, atol=1e-6, err_msg=kind)
    assert not models["numpy"].has_gradient and models["numpy"].has_scores


def test_what_is_no_model(tmp_path):
    (tmp_path / "text").write_text("no model")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.gin").write_text("")
    for given, told in (
        (tmp_path / "nothing", "There is no"),
        (tmp_path / "text", "is not a model"),
        (tmp_path, "is not a model"),
        (tmp_path / "run", "has not been finished"),
        (3, "Received: 3"),
    ):
        with pytest.raises(UserError, match=told):
            Subject.of(given)


def test_a_saved_model_without_a_float_signature_is_named(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.uint8)])
    def classify(x):
        return {"a": tf.cast(x, tf.float32), "b": tf.cast(x, tf.float32)}

    module.classify = classify
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serve": classify})
    with pytest.raises(UserError, match=r"It has: serve\(x\) -> a, b"):
        Subject.of(tmp_path / "saved")


def test_a_file_is_one_classifier_however_often_it_is_loaded(tmp_path):
    """Loading draws the state of Dropout's random numbers anew."""
    layers = [keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((2, 2, 1)), *layers])
    model.save(tmp_path / "model.keras")
    found = []
    for seed in range(3):
        keras.utils.set_random_seed(seed)
        found.append(identify(Subject.of(tmp_path / "model.keras"), (2, 2, 1)))
    assert all(one.is_same(identify(Subject.of(model), (2, 2, 1))) for one in found)
    model.layers[-1].bias.assign_add([1e-7, 0.0])
    assert not found[0].is_same(identify(Subject.of(model), (2, 2, 1)))
