"""A replica without examples: what its row of zeros must not change, and that no convolution sees none."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import APGD, PGD, Clean
from tfrobust.methods import ADV
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.replicas.stand_in import mask_stand_in, rows_that_count, stand_in
from tfrobust.regularizers import Jacobian
from tfrobust.threat_models import Linf

X = np.random.default_rng(0).random((1, 8, 8, 3)).astype("float32")


def network():
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(4, 3), BatchNormalization(), keras.layers.Activation("relu")]
    penalised = keras.layers.Dense(3, activity_regularizer="l2", kernel_regularizer="l2")
    return keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.Flatten(), penalised])


def test_one_device_adds_nothing():
    x = tf.constant(X)
    with stand_in(x) as (rows,):
        assert rows is x and rows_that_count(x) is None and mask_stand_in(x) is x


def test_an_empty_batch_on_one_device():
    model = network()
    model(X)
    for attack in (PGD(Linf(0.1), steps=2, keep=(1,)), APGD(Linf(0.1), steps=2)):
        found = attack(model, X[:0], np.zeros(0, "int32"), seed=0)
        shapes = [v.shape for v in (found.x, found.survived, *found.path)]
        assert shapes[:2] == [(0, 8, 8, 3), (0,)] and set(shapes[2:]) <= {(0, 8, 8, 3)}


@pytest.mark.slow
def test_batches_of_three_and_one_on_two_replicas(two_replicas):
    """Penalties of activities, BatchNormalization, image gradients' statistics, predictions, reports."""
    x = np.random.default_rng(2).random((4, 8, 8, 3)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, np.arange(4) % 3)).batch(3)
    results = []
    for strategy in (None, two_replicas):
        with contextlib.nullcontext() if strategy is None else strategy.scope():
            attack = PGD(Linf(0.1), steps=1, start=Clean())
            method = ADV(network(), attack, eval_attack=attack, regularizers=[Jacobian(0.1)])
            method.compile(keras.optimizers.SGD(0.05), metrics=["sparse_categorical_accuracy"])
        history = method.fit(data, validation_data=data, verbose=0).history
        predicted = method.predict(data.map(lambda x, y: x), verbose=0)
        results.append((history, method.get_weights(), predicted))
    one, two = results
    assert one[0].keys() == two[0].keys()
    for name, values in one[0].items():
        np.testing.assert_allclose(two[0][name], values, rtol=2e-5, err_msg=name)
    for u, v in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(v, u, atol=5e-6)
    np.testing.assert_allclose(two[2], one[2], atol=2e-5)
