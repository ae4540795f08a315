"""Images enter in the precision in which the classifier computes, and every method trains in it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import contract
from tfrobust.methods import ATLAS, LLR, TRADES, Free
from tfrobust.recipes import jac

L = keras.layers
BALL = tfrobust.Linf(0.05)
PGD = tfrobust.PGD(BALL, steps=1)
CLEAN_PGD = tfrobust.PGD(BALL, tfrobust.ToClean(), steps=1, start=tfrobust.Gaussian(0.01))
MAKE = {
    "TRADES": lambda c: TRADES(c, CLEAN_PGD, eval_attack=PGD),
    "Free": lambda c: Free(c, BALL, batch_shape=(6, 4, 4, 1), replays=2),
    "JAC": lambda c: jac(c, BALL),
    "LLR": lambda c: LLR(c, PGD),
    "ATLAS": lambda c: ATLAS(c, PGD),
}


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("float64")
@pytest.mark.filterwarnings("ignore:Even though the")
@pytest.mark.parametrize("name", MAKE)
def test_everything_in_float64(name, make_classifier, images, labels):
    classifier = make_classifier()
    method = MAKE[name](classifier)
    method.compile("sgd")
    data = tf.data.Dataset.from_tensor_slices((images.astype("float64"), labels)).batch(6)
    losses = method.fit(data, validation_data=data, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert {w.dtype for w in classifier.weights} == {"float64"}
    found = PGD(classifier, images, labels, seed=0).x
    assert found.dtype == tf.float64
    assert np.abs(found - images).max() <= 0.05 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("float32", tf.float32), ("float64", tf.float64), ("mixed_bfloat16", tf.float32)],
)
def test_the_dtype_at_the_door(policy, expected, images, labels):
    keras.config.set_dtype_policy(policy)
    try:
        layers = [L.Flatten(), L.Dense(3, dtype="float64" if policy == "float64" else None)]
        model = keras.Sequential([keras.Input((4, 4, 1)), *layers])
    finally:
        keras.config.set_dtype_policy("float32")
    for given in (images, images.astype("float64"), images.astype("float16")):
        x, y = contract.as_batch(model, given, labels)
        assert (x.dtype, y.dtype) == (expected, tf.int32)
    # Its steps are those of float32 pixels: bfloat16 would move by 1/256 or not at all.
    found = tfrobust.PGD(tfrobust.Linf(1e-3), steps=1)(model, images, labels, seed=0).x
    assert 0 < np.abs(found.numpy() - images).max() <= 1e-3 * (1 + 1e-4)


def test_all_bytes_are_the_nearest_numbers():
    for dtype in (tf.float32, tf.float64):
        for call in (contract.from_uint8, tf.function(contract.from_uint8, autograph=False)):
            found = call(tf.cast(tf.range(256), tf.uint8), dtype)
            np.testing.assert_array_equal(found, (np.arange(256) / 255).astype(dtype.name))
