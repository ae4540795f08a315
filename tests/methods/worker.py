"""One of several processes that train the methods of the contract together: for test_workers.py.

python -m tests.methods.worker ADDRESSES INDEX DEVICES FOLDER METHODS
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from tests.methods import conftest
from tfrobust.compat import MultiWorkerStrategy


def train(make, strategy, folder, name):
    """Trains a method on batches of 7, 7 and 1 rows, and keeps its weights and what it reported."""
    with strategy.scope():
        keras.utils.set_random_seed(1)
        method = make(conftest.functional(), seed=4)
        method.compile(keras.optimizers.SGD(0.02, momentum=0.9))
    dataset = tf.data.Dataset.from_tensor_slices((conftest.X, conftest.Y, conftest.WEIGHTS))
    history = method.fit(dataset.batch(7), validation_data=dataset.batch(7), verbose=0).history
    weights = {f"{i:03d}": w.numpy() for i, w in enumerate(method.classifier.weights)}
    np.savez(folder / f"{name}.npz", **weights, **{k: v[-1] for k, v in history.items()})


def see_what_keras_lacks(strategy, folder):
    """What a plain Keras model fails with, for the day when it no longer does."""

    class Built(keras.Sequential):
        def _maybe_symbolic_build(self, *args, **kwargs):
            self.optimizer.build(self.trainable_variables)

    data = tf.data.Dataset.from_tensor_slices((np.zeros((8, 2)), np.zeros((8, 1)))).batch(4)
    for kind in (keras.Sequential, Built):
        with strategy.scope():
            model = kind([keras.Input((2,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
        try:
            model.fit(data, verbose=0)
            message = "works"
        except ValueError as error:
            message = str(error)
        (folder / f"{kind.__name__}.txt").write_text(message)


def main(addresses, index, devices, folder, names):
    count, index, folder = int(devices), int(index), pathlib.Path(folder)
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * count
    )
    devices = [f"CPU:{i}" for i in range(count)]
    strategy = MultiWorkerStrategy(addresses.split(","), index, devices)
    folder.mkdir(exist_ok=True)
    for name in names.split(","):
        train(conftest.METHODS[name], strategy, folder, name)
    see_what_keras_lacks(strategy, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
