"""Every method trains in mixed precision as well as in float32: small digits, three classes, four epochs.

About eight minutes: pytest tests/methods/test_mixed_precision.py -m slow -s
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.methods.conftest import METHODS
from tfrobust.attacks import PGD
from tfrobust.data import digits
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.threat_models import Linf

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Layer.*half precision")]


@functools.cache
def splits():
    """Digits 0, 1 and 2 at 4 by 4 pixels: as large as the table's methods expect, in batches of 8."""
    pairs = []
    for split in (digits().train, digits().test):
        x, y = np.asarray(split.images, "float32"), np.asarray(split.labels)
        x = x / 255 if x.max() > 1 else x
        kept = y < 3
        pairs.append((x[kept].reshape(-1, 4, 2, 4, 2, 1).mean(axis=(2, 4)), y[kept]))
    return pairs


def network():
    layers = [
        keras.layers.Conv2D(16, 3, use_bias=False),
        BatchNormalization(),
        keras.layers.Activation("softplus"),
        keras.layers.Flatten(),
        keras.layers.Dense(3),
    ]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


@functools.cache
def accuracies(name, policy):
    """Clean and robust accuracy after training, and the share of steps that loss scaling left out."""
    (x, y), test = splits()
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(1)
        method = METHODS[name](network(), seed=4, eval_attack=PGD(Linf(0.1), steps=5))
        method.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    finally:
        keras.config.set_dtype_policy("float32")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8, drop_remainder=True)
    steps = 4 * int(data.cardinality()) * method.updates_per_step
    method.fit(data, epochs=4, verbose=0)
    scores = method.evaluate(*test, return_dict=True, verbose=0)
    made = int(getattr(method.optimizer, "inner_optimizer", method.optimizer).iterations.numpy())
    return scores["accuracy"], scores["robust_accuracy"], 1 - made / steps


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", METHODS)
def test_the_accuracy_of_float32(name, policy):
    found, expected = accuracies(name, policy), accuracies(name, "float32")
    print(f"\n{name:14} {policy:15}", *(f"{a:.3f} ({b:.3f})" for a, b in zip(found, expected)))
    # Of about 110 images: three standard deviations of a difference are 0.1.
    np.testing.assert_allclose(found[:2], expected[:2], atol=0.1)
    assert expected[0] > 0.6
    assert found[2] <= 0.1
