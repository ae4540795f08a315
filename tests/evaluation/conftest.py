"""A small network, examples that it classifies right, and attacks that break some of them."""

import numpy as np
import pytest
import tensorflow as tf

GENERATOR = np.random.default_rng(0)
FIRST = GENERATOR.normal(size=(16, 12)).astype("float32")
SECOND = GENERATOR.normal(size=(12, 5)).astype("float32")
IMAGES = GENERATOR.uniform(0.2, 0.8, size=(60, 4, 4, 1)).astype("float32")


def network(x):
    return tf.nn.relu(tf.reshape(x - 0.5, [-1, 16]) @ FIRST) @ SECOND


LABELS = np.argmax(network(IMAGES).numpy(), axis=1)
# Some are wrong at the clean image.
LABELS[::10] = (LABELS[::10] + 1) % 5


@pytest.fixture(scope="session")
def small():
    """The network, images (60, 4, 4, 1), and labels of which six are wrong."""
    return network, IMAGES, LABELS
