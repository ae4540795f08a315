"""`adapt`: the same predictions from pixels in [0, 1], shared weights, files that load without tfrobust."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.errors import UserError

L = keras.layers
SHAPE = (5, 4, 3)
PIXELS = np.random.default_rng(1).random((6, *SHAPE)).astype("float32")


def ending(*layers, shape=SHAPE):
    return keras.Sequential([keras.Input(shape), L.Conv2D(4, 3, activation="relu"), *layers])


def functional(*layers):
    inputs = x = keras.Input(SHAPE)
    for layer in (L.Conv2D(4, 3), L.Flatten(), *layers):
        x = layer(x)
    return keras.Model(inputs, x)


def operations():
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, keras.ops.softmax(L.Dense(3)(L.Flatten()(inputs))))


SOFTMAX = {
    "Dense": lambda: ending(L.Flatten(), L.Dense(3, activation="softmax")),
    "Conv2D": lambda: ending(
        L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(3, 1, activation="softmax"), L.Flatten()
    ),
    "Activation": lambda: functional(L.Dense(3), L.Activation("softmax")),
    "Softmax": lambda: functional(L.Dense(3), L.Softmax()),
    "float32 after": lambda: functional(
        L.Dense(3, activation="softmax"), L.Activation("linear", dtype="float32")
    ),
    "inside": lambda: functional(keras.Sequential([keras.Input((24,)), L.Dense(3), L.Softmax()])),
    "all inside": lambda: keras.Sequential(
        [keras.Input(SHAPE), functional(L.Dense(3, activation="softmax"))]
    ),
    "operation": operations,
}
RANGES = {
    "0 to 255": ({}, lambda x: 255 * x),
    "-1 to 1": ({"input_range": (-1, 1)}, lambda x: 2 * x - 1),
    "ImageNet": (
        {"input_range": (0, 1), "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)},
        lambda x: (x - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.3, 0.4]),
    ),
    "a mean of bytes": ({"mean": 120.0}, lambda x: 255 * x - 120),
}


def log_softmax(z):
    return np.asarray(tf.nn.log_softmax(z))


@pytest.mark.parametrize("kind", SOFTMAX)
def test_a_last_softmax_is_taken_off(kind):
    model = SOFTMAX[kind]()
    before = [w.numpy() for w in model.weights]
    adapted = tfrobust.adapt(model, input_range=(0, 1))
    logits = adapted(PIXELS)
    np.testing.assert_allclose(log_softmax(logits), np.log(model(PIXELS)), atol=1e-5)
    assert not np.allclose(np.sum(logits, axis=1), 1.0)
    # The weights are the model's own, and so is the model, still.
    assert {id(w) for w in adapted.weights} == {id(w) for w in model.weights}
    for one, two in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(one.numpy(), two)
    np.testing.assert_allclose(np.sum(model(PIXELS), axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", RANGES)
def test_pixels_arrive_as_the_model_wants_them(kind):
    options, prepared = RANGES[kind]
    model = ending(L.Flatten(), L.Dense(3))
    adapted = tfrobust.adapt(model, **options)
    expected = model(prepared(PIXELS).astype("float32"))
    np.testing.assert_allclose(adapted(PIXELS), expected, rtol=1e-4, atol=1e-4)


def test_one_output_becomes_two():
    for activation in (None, "sigmoid"):
        model = ending(L.Flatten(), L.Dense(1, activation=activation))
        adapted = tfrobust.adapt(model, input_range=(0, 1))
        found = np.asarray(tf.nn.softmax(adapted(PIXELS)))[:, 1:]
        output = model(PIXELS)
        expected = output if activation else tf.sigmoid(output)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rows_of_pixels_become_rows():
    model = ending(L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(3, 1))
    adapted = tfrobust.adapt(model, input_range=(0, 1))
    np.testing.assert_allclose(adapted(PIXELS), np.reshape(model(PIXELS), (6, 3)), atol=1e-6)


def test_the_file_loads_without_tfrobust(tmp_path):
    model = SOFTMAX["Dense"]()
    adapted = tfrobust.adapt(model, mean=(120, 110, 100), std=(60, 50, 40))
    adapted.save(tmp_path / "adapted.keras")
    np.save(tmp_path / "pixels.npy", PIXELS)
    code = (
        "import keras, numpy, sys\n"
        f"model = keras.saving.load_model({str(tmp_path / 'adapted.keras')!r})\n"
        f"pixels = numpy.load({str(tmp_path / 'pixels.npy')!r})\n"
        f"numpy.save({str(tmp_path / 'logits.npy')!r}, model(pixels))\n"
        "assert not any(name.startswith('tfrobust') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), adapted(PIXELS), atol=1e-4)


def test_what_is_adapted_trains_its_model():
    model = SOFTMAX["Dense"]()
    attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=1)
    method = tfrobust.ADV(tfrobust.adapt(model), attack)
    method.compile(keras.optimizers.SGD(0.01))
    before = model.layers[-1].kernel.numpy()
    method.fit(PIXELS, np.arange(6) % 3, verbose=0)
    assert np.abs(model.layers[-1].kernel.numpy() - before).max() > 0


class Own(keras.Model):
    """Softmax in code of its own, or none."""

    def __init__(self, activation):
        super().__init__()
        self.dense, self.activation = L.Dense(3), activation

    def call(self, x):
        return self.activation(self.dense(tf.reshape(x, [-1, 60])))


def test_code_of_its_own():
    model = Own(tf.identity)
    model(PIXELS)
    with pytest.raises(UserError, match="give image_shape"):
        tfrobust.adapt(model)
    for activation in (tf.identity, tf.nn.softmax):
        model = Own(activation)
        model(PIXELS)
        if activation is tf.identity:
            adapted = tfrobust.adapt(model, input_range=(-1, 1), image_shape=SHAPE)
            np.testing.assert_allclose(adapted(PIXELS), model(2 * PIXELS - 1), atol=1e-5)
        else:
            with pytest.raises(UserError, match="softmax is in code of its own"):
                tfrobust.adapt(model, input_range=(-1, 1), image_shape=SHAPE)


@pytest.mark.parametrize(
    ("make", "options", "told"),
    [
        (lambda: keras.Sequential([L.Dense(3)]), {}, "built Keras model"),
        (lambda: 3, {}, "built Keras model"),
        (lambda: ending(L.Flatten(), L.Dense(3)), {"input_range": 255}, "low, high"),
        (lambda: ending(L.Flatten(), L.Dense(3)), {"input_range": (1, 0)}, "rise"),
        (lambda: ending(L.Flatten(), L.Dense(3)), {"mean": (1, 2)}, "each of 3 channels"),
        (lambda: ending(L.Flatten(), L.Dense(3)), {"std": 0}, "above 0"),
        (
            lambda: ending(L.Flatten(), L.Dense(3)),
            {"mean": 0.5, "std": 0.2},
            r"input_range=\(0, 1\)",
        ),
        (lambda: ending(), {}, "Pool or flatten"),
        (lambda: ending(L.Softmax(axis=1), L.Flatten()), {}, "axis 1"),
    ],
)
def test_what_cannot_be_adapted(make, options, told):
    with pytest.raises(UserError, match=told):
        tfrobust.adapt(make(), **options)


def test_what_differs_is_not_adapted():
    """A model that draws noise in inference too is not the same twice."""
    noisy = keras.Sequential([keras.Input(SHAPE), L.Flatten(), L.Dense(3), Noise()])
    with pytest.raises(UserError, match="does not give what"):
        tfrobust.adapt(noisy)


class Noise(L.Layer):
    """Adds normal noise at any time."""

    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


def test_another_structure_is_refused_as_at_every_door():
    images, angle = keras.Input(SHAPE), keras.Input((1,))
    features = L.Concatenate()([L.Flatten()(images), angle])
    with pytest.raises(UserError, match="has one input.* with 2 inputs. Fix the others"):
        tfrobust.adapt(keras.Model([images, angle], L.Dense(3)(features)))
    logits = L.Dense(3)(L.Flatten()(images))
    with pytest.raises(UserError, match="has one output.* with 2 outputs. Choose one"):
        tfrobust.adapt(keras.Model(images, [logits, logits]))
