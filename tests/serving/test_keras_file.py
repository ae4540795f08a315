"""One `.keras` file, and what Keras itself makes of a trained method."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.models import BatchNormalization, digits_cnn

X, Y = np.random.default_rng(0).random((6, 8, 8, 1)).astype("float32"), np.arange(6) % 3


@pytest.mark.slow
def test_loads_where_tfrobust_is_not(tmp_path):
    classifier = digits_cnn(batch_normalization=True)
    path = tfrobust.save_classifier(classifier, tmp_path / "classifier.keras")
    np.save(tmp_path / "x.npy", X)
    code = (
        "import sys; sys.modules['tfrobust'] = None\n"
        "import keras, numpy\n"
        f"model = keras.saving.load_model({str(path)!r})\n"
        "numpy.save('logits.npy', model(numpy.load('x.npy'), training=False))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
    expected = classifier(X, training=False)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, atol=1e-6)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.parts = [BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(3)]

    def call(self, x, training=False):
        for part in self.parts[:1]:
            x = part(x, training=training)
        return self.parts[2](self.parts[1](x))


def test_what_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(tfrobust.UserError, match="must end in '.keras'"):
        tfrobust.save_classifier(digits_cnn(), tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def method_of(classifier):
    method = tfrobust.ADV(classifier, tfrobust.PGD(tfrobust.Linf(0.1), steps=1))
    method.compile(keras.optimizers.SGD(0.1))
    method.fit(X, Y, verbose=0)
    return method


@pytest.fixture(scope="module")
def method():
    layers = [BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(3)]
    return method_of(keras.Sequential([keras.Input((8, 8, 1)), *layers]))


def test_export_of_a_method(method, tmp_path, capsys):
    method.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    served = loaded.serve(X[:2])
    np.testing.assert_allclose(served, method.predict(X[:2], verbose=0), atol=1e-6)
    method.summary()
    assert "(None, 3)" in capsys.readouterr().out


def test_lite(method):
    content = tf.lite.TFLiteConverter.from_keras_model(method).convert()
    assert content[4:8] == b"TFL3"


def test_export_of_a_subclassed_classifier(tmp_path):
    method_of(Own()).export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    assert loaded.serve(X[:2]).shape == (2, 3)
