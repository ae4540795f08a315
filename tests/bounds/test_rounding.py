"""What float32 makes of each layer lies within the error that its rule allows, at numbers of every size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.bounds import Interval, rules
from tfrobust.bounds.arithmetic import PROOF

LAYERS = keras.layers
GENERATOR = np.random.default_rng(0)


def draw_numbers(count, most=2.0):
    """Of both signs, from 1e-12 on, and a grid: where differences cancel and where functions saturate."""
    sizes = 10.0 ** GENERATOR.uniform(-12, most, count // 2)
    grid = np.linspace(-20, 20, count - len(sizes))
    return np.concatenate([sizes * GENERATOR.choice([-1, 1], len(sizes)), grid]).astype(np.float32)


ACTIVATIONS = {name: LAYERS.Activation(name) for name in rules._ACTIVATIONS}
ACTIVATIONS |= {
    "ELU": LAYERS.ELU(0.3),
    "ELU, steep": LAYERS.ELU(2.0),
    "LeakyReLU": LAYERS.LeakyReLU(negative_slope=0.3),
    "ReLU, a tenth": LAYERS.ReLU(max_value=0.1),
    "ReLU, a slope": LAYERS.ReLU(negative_slope=0.1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_round_no_more_than_allowed(name):
    layer, x = ACTIVATIONS[name], draw_numbers(40_000)
    (operation,) = rules.find_operations(layer, [(None, 1)], (None, 1))
    point = Interval(*[tf.constant(x[:, None], tf.float64)] * 2)
    exact, error = operation.bound([point], PROOF)
    box = exact.widen(error)
    # The network's own function, alone and in a graph; few numbers are computed by another loop than many.
    for found in (
        layer(tf.constant(x[:, None])),
        tf.function(layer)(tf.constant(x[:, None])),
        tf.concat([layer(tf.constant(x[i : i + 3, None])) for i in range(0, 300, 3)], axis=0),
    ):
        count = len(found)
        assert (found.numpy() >= box.lower.numpy()[:count]).all(), name
        assert (found.numpy() <= box.upper.numpy()[:count]).all(), name


SHAPE = (6, 6, 4)
# Every other layer with a rule; what it is called with has the shape above.
MAKERS = {
    "Dense": lambda: LAYERS.Dense(3),
    "Conv2D": lambda: LAYERS.Conv2D(3, 3, 2, "same"),
    "Conv2D, dilated": lambda: LAYERS.Conv2D(3, 3, padding="same", dilation_rate=2),
    "Conv2D, groups": lambda: LAYERS.Conv2D(6, 3, groups=2),
    "DepthwiseConv2D": lambda: LAYERS.DepthwiseConv2D(3, depth_multiplier=2),
    "AveragePooling2D": lambda: LAYERS.AveragePooling2D(3, 2, "same"),
    "BatchNormalization": lambda: LAYERS.BatchNormalization(epsilon=1e-5),
    "BatchNormalization, ours": lambda: tfrobust.models.BatchNormalization(),
    "Cropping2D": lambda: LAYERS.Cropping2D(1),
    "MaxPooling2D": lambda: LAYERS.MaxPooling2D(3, 2, "same"),
    "Normalization": lambda: LAYERS.Normalization(mean=[3.0, -1, 0, 1], variance=[1e-4, 4, 1, 9]),
    "Rescaling": lambda: LAYERS.Rescaling(-1 / 127.5, 1.0),
    "ZeroPadding2D": lambda: LAYERS.ZeroPadding2D(1),
    "GlobalAveragePooling2D": lambda: LAYERS.GlobalAveragePooling2D(),
    "GlobalMaxPooling2D": lambda: LAYERS.GlobalMaxPooling2D(),
    "Flatten": lambda: LAYERS.Flatten(),
    "Reshape": lambda: LAYERS.Reshape((4, 36)),
    "Dropout": lambda: LAYERS.Dropout(0.5),
}
JOINED = {"Add": LAYERS.Add, "Average": LAYERS.Average, "Subtract": LAYERS.Subtract}
JOINED |= {"Concatenate": LAYERS.Concatenate}


def test_every_layer_with_a_rule_is_looked_at():
    looked_at = {name.partition(",")[0] for name in (*MAKERS, *JOINED)}
    looked_at |= {"Activation", "ELU", "LeakyReLU", "ReLU"}
    assert looked_at | set(rules._IDENTITIES) == set(rules._SUPPORTED)


def compute_box(layer, inputs, outputs):
    shapes = [(None, *x.shape[1:]) for x in inputs]
    boxes = [Interval(*[tf.constant(x, tf.float64)] * 2) for x in inputs]
    for operation in rules.find_operations(layer, shapes, (None, *outputs.shape[1:])):
        exact, error = operation.bound(boxes, PROOF)
        boxes = [exact.widen(error)]
    return boxes[0]


def assert_inside(found, box):
    assert (found >= box.lower.numpy()).all() and (found <= box.upper.numpy()).all()


@pytest.mark.parametrize("name", MAKERS)
def test_layers_round_no_more_than_allowed(name):
    layer = MAKERS[name]()
    layer.build((None, *SHAPE))
    weights = [draw_numbers(w.size, most=1.0).reshape(w.shape) for w in layer.get_weights()]
    for place, variable in enumerate(layer.weights):
        GENERATOR.shuffle(weights[place].reshape(-1))
        if "variance" in variable.name:
            weights[place] = np.abs(weights[place]) ** 2
    if "Normalization" != name:
        layer.set_weights(weights)
    x = draw_numbers(64 * np.prod(SHAPE), most=3.0)
    GENERATOR.shuffle(x)
    x = x.reshape(64, *SHAPE)
    found = layer(tf.constant(x), training=False) if layer._call_has_training_arg else layer(x)
    assert_inside(found.numpy(), compute_box(layer, [x], found))


@pytest.mark.parametrize("name", JOINED)
def test_sums_round_no_more_than_allowed(name):
    layer = JOINED[name]()
    inputs = [draw_numbers(800).reshape(-1, 4) for _ in range(2 if name == "Subtract" else 3)]
    # Numbers that nearly cancel.
    inputs[1] = (-1 if name != "Subtract" else 1) * inputs[0] * np.float32(1 + 1e-7)
    found = layer([tf.constant(x) for x in inputs])
    assert_inside(found.numpy(), compute_box(layer, inputs, found))


def test_what_float32_makes_of_a_small_difference_is_not_certified():
    """z = (1e8 elu(h) + 5, 0) for h = -4e-8 x: float32's exp(h) - 1 is -6e-8 or 0, not h."""
    model = keras.Sequential(
        [
            keras.Input((1, 1, 1)),
            LAYERS.Flatten(),
            LAYERS.Dense(1, "elu", use_bias=False),
            LAYERS.Dense(2),
        ]
    )
    weights = [[[-4e-8]], [[1e8, 0.0]], [5.0, 0.0]]
    model.set_weights([np.array(w, np.float32) for w in weights])
    x, y = np.full((1, 1, 1, 1), 0.8, np.float32), np.array([0])
    exact = 1e8 * np.expm1(-4e-8 * np.linspace(0.7, 0.9, 50)) + 5.0
    points = np.linspace(0.7, 0.9, 50, dtype=np.float32).reshape(-1, 1, 1, 1)
    logits = model(points).numpy()
    assert (exact > 1.0).all() and (logits[:, 0] < 0.0).any()
    for suite in ("ibp", "bounds"):
        assert not tfrobust.certify(model, (x, y), suite, tfrobust.Linf(0.1)).certified.any()
