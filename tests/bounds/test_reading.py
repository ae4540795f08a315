"""Which models have bounds, and what is said of the others."""

import keras
import numpy as np
import pytest

import tfrobust
from tfrobust.bounds import read_network
from tfrobust.errors import UserError

LAYERS = keras.layers


class Mine(keras.layers.Layer):
    def call(self, x):
        return x * x


def classify(*layers, shape=(4, 4, 1)):
    return keras.Sequential([keras.Input(shape), *layers, LAYERS.Flatten(), LAYERS.Dense(3)])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: classify(Mine(name="mine")), ["'mine' (Mine)", "of your own", "smoothing"]),
        (lambda: classify(LAYERS.LayerNormalization(name="norm")), ["'norm'", "no rule"]),
        (lambda: classify(LAYERS.Conv2D(2, 3, activation="gelu", name="conv")), ["'conv'", "gelu"]),
        (lambda: classify(LAYERS.ReLU(threshold=0.5, name="relu")), ["'relu'", "threshold"]),
        (
            lambda: classify(LAYERS.ReLU(max_value=0.0, negative_slope=0.1, name="relu")),
            ["'relu'", "a slope beside a largest value"],
        ),
        (
            lambda: classify(LAYERS.Normalization(mean=0.1, variance=2.0, invert=True, name="inv")),
            ["'inv'", "is inverted"],
        ),
        (lambda: classify(LAYERS.BatchNormalization(axis=1, name="bn")), ["'bn'", "another axis"]),
        (
            lambda: classify(LAYERS.Conv2D(2, 3, dtype="mixed_float16", name="c")),
            ["'c'", "float16"],
        ),
        (lambda: classify(LAYERS.Conv2D(2, 3), shape=(None, None, 1)), None),
    ],
)
def test_what_has_no_bounds_is_named(model, words):
    if words is None:
        inputs = keras.Input((None, None, 1))
        outputs = LAYERS.Dense(3)(LAYERS.GlobalAveragePooling2D()(inputs))
        with pytest.raises(UserError, match="known size"):
            read_network(keras.Model(inputs, outputs))
        return
    with pytest.raises(UserError) as error:
        read_network(model())
    assert all(word in str(error.value) for word in words), error.value


def read_function(function):
    """A network that computes a function of its flat images before its last layer."""
    inputs = keras.Input((2, 2, 1))
    return read_network(keras.Model(inputs, LAYERS.Dense(3)(function(LAYERS.Flatten()(inputs)))))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda h: h + 1e-9, "takes a constant"),
        (lambda h: 1.0 - h, "takes a constant"),
        (lambda h: keras.ops.relu(h), "is a function without a rule"),
        (lambda h: keras.ops.average(keras.ops.reshape(h, (-1, 2, 2)), axis=1), "without a rule"),
    ],
)
def test_functions_without_a_rule_are_named(function, words):
    with pytest.raises(UserError, match=words):
        read_function(function)


def test_functions_that_do_what_a_layer_does_have_its_rule():
    network = read_function(lambda h: keras.ops.concatenate([h + h, h - h], axis=1))
    names = [type(node.operation).__name__ for node in network.nodes[2:5]]
    assert sorted(names) == ["Concatenation", "WeightedSum", "WeightedSum"]


def test_models_inside_have_one_input_and_one_output():
    first, second = keras.Input((4,)), keras.Input((4,))
    two_inputs = keras.Model([first, second], LAYERS.Subtract()([first, second]), name="pair")
    two_outputs = keras.Model(first, [first, LAYERS.Dense(4)(first)], name="pair")
    for function in (lambda h: two_inputs([h, h]), lambda h: two_outputs(h)[1]):
        with pytest.raises(UserError, match="one input and one output. 'pair' has"):
            read_function(function)


def test_a_changed_layer_is_found_by_its_numbers(monkeypatch):
    model = classify(LAYERS.Conv2D(2, 3, name="conv"))
    layer = model.get_layer("conv")
    monkeypatch.setattr(layer, "call", lambda x: 1.01 * keras.layers.Conv2D.call(layer, x))
    with pytest.raises(UserError, match="outside the bounds of their own rounding"):
        read_network(model)


def test_what_may_overflow_by_rounding_alone_is_told():
    """Numbers that float32 still has, whose rounding grows through many layers."""
    layers = [LAYERS.Dense(16, "relu", use_bias=False) for _ in range(40)]
    model = classify(LAYERS.Flatten(), *layers)
    sign = np.where(np.arange(16) % 2, 1.0, -1.0)
    for layer in layers:
        # Sums of many numbers that nearly cancel: their rounding grows, and they do not.
        rows = np.full(layer.kernel.shape, 8.0) * np.resize(sign, layer.kernel.shape[0])[:, None]
        layer.set_weights([rows])
    with pytest.raises(UserError, match="without limit"):
        read_network(model)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tfrobust.models.mnist_cnn("large", (12, 12, 1)),
        lambda: tfrobust.models.preact_resnet18(4, (8, 8, 3)),
        lambda: tfrobust.models.trades_cnn(4),
    ],
)
def test_the_networks_of_the_papers_have_bounds(make):
    network = read_network(make())
    assert network.num_classes == 10


def test_an_adapted_classifier_has_bounds():
    model = classify(LAYERS.Conv2D(2, 3, activation="relu"))
    probabilities = keras.Sequential([model, LAYERS.Softmax()])
    adapted = tfrobust.adapt(probabilities, input_range=(0, 255))
    network = read_network(adapted)
    x = np.random.default_rng(0).random((2, 4, 4, 1), np.float32)
    np.testing.assert_allclose(adapted(x), model(255 * x), rtol=1e-3)
    assert network.num_classes == 3
