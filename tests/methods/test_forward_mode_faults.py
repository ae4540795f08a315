"""Layers that forward mode does not get through are named, and only they."""

import keras
import numpy as np
import pytest

from tfrobust.errors import UserError
from tfrobust.methods import Natural
from tfrobust.regularizers import TaylorTerms

RNG = np.random.default_rng(0)
X, Y = RNG.random((6, 4, 4, 1)).astype("float32"), np.arange(6) % 3
layers = keras.layers


def trained(inner, form="exact", order=1):
    parts = [keras.Input((4, 4, 1)), *inner, layers.Flatten(), layers.Dense(3)]
    term = TaylorTerms(0.3, order=order, form=form, points=("clean", "clean"))
    method = Natural(keras.Sequential(parts), regularizers=[term])
    method.compile("sgd")
    before = method.classifier.get_weights()[0].copy()
    try:
        method.train_on_batch(X, Y)
    finally:
        method.moved = np.abs(method.classifier.get_weights()[0] - before).max()
    return method


def bounded():
    return layers.SpectralNormalization(layers.Conv2D(2, 3), name="bounded")


def memory():
    return [layers.Reshape((4, 4)), layers.SimpleRNN(4, name="memory")]


class Shifts(layers.Layer):
    """Fails in training by itself, with or without derivatives."""

    def call(self, x, training=False):
        if training:
            raise TypeError("no such shift")
        return x


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    ("inner", "name"),
    [
        (lambda: [bounded()], "'bounded', a SpectralNormalization"),
        (lambda: [layers.Conv2D(1, 1), keras.Sequential([bounded()])], "'bounded', a Spectral"),
        (memory, "'memory', a SimpleRNN"),
    ],
    ids=["own weights", "nested", "loop"],
)
def test_the_layer_is_named(inner, name, order):
    with pytest.raises(UserError, match=f"Layer {name}.*form='finite'"):
        trained(inner(), order=order)
    assert keras.config.is_traceback_filtering_enabled()


def test_what_the_message_advises_works():
    assert trained([bounded()], form="finite").moved > 0.0


def test_without_a_graph_there_is_a_sentence_too(eagerly):
    with pytest.raises(UserError, match="A layer cannot be .* without run_eagerly"):
        trained([bounded()])


def test_a_layer_that_fails_by_itself_is_not_blamed_on_forward_mode():
    with pytest.raises(TypeError, match="no such shift"):
        trained([Shifts()])
