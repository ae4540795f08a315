"""Tiny models with known faults, and one that is robust."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.data import digits
from tfrobust.models import digits_cnn

SHAPE, COUNT = (4, 4, 1), 128
RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(0.05, 0.95, size=(COUNT, *SHAPE)).astype("float32")
WEIGHTS = RANDOM.normal(size=(16, 10)).astype("float32")


def linear(classes, factor=1.0):
    """Logits of a linear model; with two classes Z1, with more Z2."""

    def model(x):
        return factor * (tf.reshape(x, [-1, 16]) - 0.5) @ WEIGHTS[:, :classes]

    return model


def labels_of(model):
    return np.argmax(model(X), axis=1)


def keras_model(training=None):
    """A Keras model with BatchNormalization whose statistics are not those of a batch."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(12, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(5),
        ]
    )
    return model if training is None else lambda x: model(x, training=training)


@tf.custom_gradient
def infinite_slope(x):
    """The identity with a gradient like that of a root at 0."""
    return tf.identity(x), lambda upstream: upstream / tf.zeros_like(upstream)


@pytest.fixture(scope="session")
def tiny():
    """Images, and how the zoo's models are made."""
    return types.SimpleNamespace(
        x=X, linear=linear, labels_of=labels_of, keras_model=keras_model, infinite=infinite_slope
    )


@pytest.fixture(scope="session")
def digit_images():
    return digits().test


@pytest.fixture(scope="session")
def sound():
    """A small network that is trained adversarially on the digits for a few seconds."""
    keras.utils.set_random_seed(0)
    train, threat_model = digits().train, tfrobust.Linf(0.15)
    attack = tfrobust.PGD(threat_model, steps=4, relative_step_size=0.4)
    method = tfrobust.ADV(digits_cnn(), attack)
    method.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 255), momentum=0.9)
    )
    method.fit(train.images, train.labels, batch_size=64, epochs=15, shuffle=True, verbose=0)
    return method.classifier
