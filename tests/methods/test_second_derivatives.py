"""What TensorFlow differentiates twice, by measurement, and what a method says of the rest."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.losses.input_gradient import loss_and_gradient
from tfrobust.methods import ADV, Natural
from tfrobust.models import BatchNormalization, digits_cnn, mnist_cnn
from tfrobust.regularizers import Curvature, GradientAlignment
from tfrobust.threat_models import Linf

LAYERS = keras.layers
TERM = GradientAlignment(0.2, Linf(0.1))


def network(*layers, dtype="float32"):
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(dtype)
    try:
        inputs = x = keras.Input((6, 6, 2), dtype=dtype)
        x = LAYERS.Conv2D(4, 3, padding="same", activation="softplus")(x)
        for layer in layers:
            x = layer()(x)
        x = LAYERS.Conv2D(3, 3, padding="same", activation="softplus")(x)
        return keras.Model(inputs, LAYERS.Dense(3)(LAYERS.Flatten()(x)))
    finally:
        keras.config.set_dtype_policy("float32")


def penalty(model, dtype, training=False):
    """A function that computes the squared input gradient."""
    x = tf.constant(np.random.default_rng(0).random((3, 6, 6, 2)), dtype)
    y = tf.constant([0, 1, 2])

    def value():
        _, gradient = loss_and_gradient(lambda x: model(x, training=training), x, y)
        return tf.reduce_sum(gradient**2)

    return value


def complaints(*layers, term=TERM, compiled=False):
    """What is warned of when a method that differentiates twice meets these layers."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        method = Natural(network(*layers), regularizers=[term])
        method.compile("sgd", jit_compile=compiled)
    return [str(warning.message) for warning in caught]


EXACT = {
    "nothing": lambda: LAYERS.Identity(),
    "exact normalisation": BatchNormalization,
    "root mean square": LAYERS.RMSNormalization,
    "nearest": lambda: LAYERS.UpSampling2D(2),
    "max-pooling": lambda: LAYERS.MaxPooling2D(3, 2, padding="same"),
    "average-pooling": lambda: LAYERS.AveragePooling2D(2),
    "silu": lambda: LAYERS.Activation("silu"),
}
WRONG = {
    "layer": (LAYERS.LayerNormalization, "inside the variance", 5e-3),
    "group": (lambda: LAYERS.GroupNormalization(2), "inside the variance", 5e-4),
    "batch": (LAYERS.BatchNormalization, "in training mode.*with_exact_batch_norm", 5e-4),
    "upsampling": (
        lambda: LAYERS.UpSampling2D(2, interpolation="bilinear"),
        "a UpSampling2D, has no second derivative in TensorFlow, silently",
        0.3,
    ),
    "resizing": (lambda: LAYERS.Resizing(9, 9), "Resize in the dataset", 0.3),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_layers(name, slope_error):
    model = network(EXACT[name], dtype="float64")
    assert slope_error(model, penalty(model, "float64", training=True)) < 1e-6
    assert complaints(EXACT[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_wrong_layers(name, slope_error):
    layer, message, error = WRONG[name]
    model = network(layer, dtype="float64")
    assert slope_error(model, penalty(model, "float64", training=True)) > error
    (told,) = complaints(layer, layer)
    assert re.search(f"Layer '.*{message}", told)


# Each fails in the first step, with "gradient registry has no entry".
NONE = {
    "bicubic": lambda: LAYERS.UpSampling2D(2, interpolation="bicubic"),
    "lanczos": lambda: LAYERS.UpSampling2D(2, interpolation="lanczos3"),
    "nearest": lambda: LAYERS.Resizing(9, 9, interpolation="nearest"),
    "softsign": lambda: LAYERS.Activation("softsign"),
}


@pytest.mark.parametrize("name", NONE)
def test_layers_without_second_derivatives(name):
    model = network(NONE[name])
    with tf.GradientTape() as tape:
        value = penalty(model, "float32")()
    with pytest.raises(LookupError, match="gradient registry has no entry"):
        tape.gradient(value, [v.value for v in model.trainable_variables])
    with pytest.raises(UserError, match="Layer '.*twice"):
        Natural(model, regularizers=[TERM])


def test_operations_without_a_layer():
    inputs = keras.Input((6, 6, 2))
    resized = keras.ops.image.resize(inputs, (4, 4), interpolation="bilinear")
    model = keras.Model(inputs, LAYERS.Dense(3)(LAYERS.Flatten()(resized)))
    with pytest.warns(UserWarning, match="a Resize, has no second derivative"):
        Natural(model, regularizers=[TERM])


def test_only_where_it_matters(slope_error):
    """A term in inference mode, a frozen layer, a method that differentiates once."""
    layer = LAYERS.BatchNormalization
    model = network(layer, dtype="float64")
    assert slope_error(model, penalty(model, "float64")) < 1e-6
    assert complaints(layer, term=Curvature()) == []
    assert len(complaints(layer, term=Curvature(statistics="batch"))) == 1
    assert len(complaints(LAYERS.LayerNormalization, term=Curvature())) == 1
    assert complaints(lambda: layer(trainable=False)) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ADV(network(*(layer for layer, *_ in WRONG.values())), PGD(Linf(0.1)))
        Natural(digits_cnn(), regularizers=[TERM])
        Natural(mnist_cnn(), regularizers=[TERM])


@pytest.mark.parametrize(("pool", "stride"), [(2, 2), (3, 2), (2, 1)])
def test_max_pooling_under_xla(pool, stride):
    """Right without overlap; with it XLA's gradients are not those of the graph, nor of eager mode."""

    def layer():
        return LAYERS.MaxPooling2D(pool, stride)

    model = network(layer)
    variables, value = [v.value for v in model.trainable_variables], penalty(model, "float32")

    def gradients():
        with tf.GradientTape() as tape:
            total = value()
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(total, variables[:-1])], 0)

    expected, graph, xla = (
        f().numpy()
        for f in (gradients, tf.function(gradients), tf.function(gradients, jit_compile=True))
    )
    np.testing.assert_allclose(graph, expected, rtol=1e-3, atol=1e-5)
    error = np.linalg.norm(xla - expected) / np.linalg.norm(expected)
    told = complaints(layer, compiled=True)
    assert complaints(layer) == []
    if stride < pool:
        assert error > 3e-3 and len(told) == 1 and "overlapping windows" in told[0]
    else:
        assert error < 1e-5 and told == []
