"""A warning before training where oneDNN would write beyond its memory, and only there."""

import warnings

import keras
import numpy as np
import pytest

from tfrobust.methods import Natural


def compile_classifier(channels, kernel=1, strides=2, dtype="float32", trainable=True):
    inputs = keras.Input((8, 8, channels))
    convolution = keras.layers.Conv2D(
        4, kernel, strides, name="narrow", dtype=dtype, trainable=trainable
    )
    x = keras.layers.Flatten()(convolution(inputs))
    classifier = keras.Model(inputs, keras.layers.Dense(3, dtype="float32")(x))
    Natural(classifier).compile("sgd")


class Unbuilt(keras.Model):
    def __init__(self):
        super().__init__()
        self.convolution = keras.layers.Conv2D(16, 1, strides=2, name="narrow")
        self.dense = keras.layers.Dense(3)

    def call(self, x, training=None):
        return self.dense(keras.ops.mean(self.convolution(x), axis=(1, 2)))


@pytest.fixture
def onednn(monkeypatch):
    monkeypatch.setattr("tfrobust.methods.memory_faults.onednn_is_on", lambda: True)
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda *kind: [])


def test_a_narrow_1x1_convolution_with_strides_is_told(onednn):
    with pytest.warns(UserWarning, match="layer 'narrow' is a 1x1 .* strides on 15 channels"):
        compile_classifier(15)


@pytest.mark.parametrize("train", ["fit", "train_on_batch"])
def test_a_classifier_that_is_built_on_its_first_batch_is_told_then(onednn, train):
    method = Natural(Unbuilt())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        method.compile("sgd")
        # As an error, so that the step does not run: it could crash.
        with pytest.raises(UserWarning, match="layer 'narrow' is a 1x1 .* strides on 3 channels"):
            getattr(method, train)(np.zeros((4, 8, 8, 3), np.float32), np.zeros(4, np.int32))


@pytest.mark.parametrize(
    "sound",
    [
        {"channels": 16},
        {"channels": 3, "kernel": 3},
        {"channels": 3, "strides": 1},
        {"channels": 3, "dtype": "float64"},
        {"channels": 3, "trainable": False},
    ],
    ids=str,
)
def test_others_are_not(onednn, sound):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_classifier(**sound)


def test_without_onednn_nothing_is_told(onednn, monkeypatch):
    monkeypatch.setattr("tfrobust.methods.memory_faults.onednn_is_on", lambda: False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_classifier(3)


def test_on_a_gpu_nothing_is_told(onednn, monkeypatch):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda *kind: ["one"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_classifier(3)
