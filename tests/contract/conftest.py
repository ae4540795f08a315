"""A classifier of 4 x 4 images in three classes, and images and labels for it."""

import keras
import numpy as np
import pytest

LAYERS = keras.layers
SHAPE = (4, 4, 1)


def make_classifier(*last, units=3, activation=None):
    """Flatten, Dense, and what comes `last`."""
    layers = [LAYERS.Flatten(), LAYERS.Dense(units, activation=activation)]
    return keras.Sequential([keras.Input(SHAPE), *layers, *last])


@pytest.fixture(name="make_classifier")
def _make_classifier():
    return make_classifier


@pytest.fixture(scope="session")
def classifier():
    return make_classifier()


@pytest.fixture(scope="session")
def images():
    """Multiples of 1/255, so that uint8 says the same, float32 (12, 4, 4, 1)."""
    grey = np.random.default_rng(0).integers(0, 256, (12, *SHAPE))
    grey.flat[:2] = 0, 255
    return (grey / 255).astype("float32")


@pytest.fixture(scope="session")
def labels():
    return np.arange(12) % 3
