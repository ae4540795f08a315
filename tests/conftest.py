"""Every test sees two logical CPU devices, no GPU unless it asks, and a fixed seed."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["KERAS_BACKEND"] = "tensorflow"

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf

# The same examples in every run: what a search finds becomes an `@example`, not a run that fails by chance.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def fresh_collectives():
    # Two strategies in one process would number their collective operations alike, and meet.
    tf.distribute.MirroredStrategy._collective_key_base += 100


@pytest.fixture(scope="session")
def two_replicas():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def slope_error():
    """How wrong a gradient with respect to a model's weights is, along a random direction.

    The relative error against central differences of fourth order; the model must be in float64.
    """

    def measure(model, value, step=1e-5, expected=None):
        """`value`: function without arguments; `expected`: another one, if it is to be differenced."""
        variables = [v.value for v in model.trainable_variables]
        rng = np.random.default_rng(4)
        directions = [rng.normal(size=v.shape) for v in variables]
        with tf.GradientTape() as tape:
            total = value()
        gradients = tape.gradient(total, variables, unconnected_gradients="zero")
        slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(gradients, directions, strict=True))

        def along(distance):
            for variable, direction in zip(variables, directions, strict=True):
                variable.assign_add(distance * direction)
            result = float((expected or value)())
            for variable, direction in zip(variables, directions, strict=True):
                variable.assign_sub(distance * direction)
            return result

        one, two = (along(s) - along(-s) for s in (step, 2 * step))
        difference = (8 * one - two) / (12 * step)
        return abs(slope - difference) / abs(difference)

    return measure
