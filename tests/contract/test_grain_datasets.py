"""`fit` on a data set of Grain makes the steps of the same batches from tf.data."""

import grain
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.methods import Natural
from tfrobust.ops.schedules import LinearRamp
from tfrobust.regularizers import MaximalEntropy

RNG = np.random.default_rng(0)
X, Y = RNG.random((22, 4, 4, 1), np.float32), np.arange(22) % 3


class Source:
    def __len__(self):
        return len(X)

    def __getitem__(self, place):
        return X[place], Y[place]


def batches(kind):
    source = grain.MapDataset.source(Source())
    if kind == "dict":
        return source.map(lambda pair: {"image": pair[0], "label": pair[1]}).batch(8)
    if kind == "iter":
        return source.to_iter_dataset().batch(8)
    if kind == "loader":
        sampler = grain.samplers.SequentialSampler(len(X), grain.sharding.NoSharding())
        return grain.DataLoader(
            data_source=Source(), sampler=sampler, operations=[grain.transforms.Batch(8)]
        )
    return source.batch(8)


@pytest.fixture(scope="module")
def fit():
    """Fits one network again and again from the same weights; returns them and the last loss."""
    network = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    start = network.get_weights()

    def call(dataset, **options):
        network.set_weights(start)
        # The weight of the entropy grows with the epochs, which must be known.
        entropy = MaximalEntropy(LinearRamp(2.0))
        method = Natural(network, regularizers=[entropy], seed=0)
        method.compile(keras.optimizers.SGD(0.1))
        history = method.fit(dataset, epochs=2, verbose=0, **options).history
        return [*network.get_weights(), np.array(history["loss"])]

    return call


def test_fit_makes_the_same_steps(fit):
    expected = fit(tf.data.Dataset.from_tensor_slices((X, Y)).batch(8))
    for kind in ("map", "dict"):
        for ours, theirs in zip(fit(batches(kind)), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_what_has_no_length_needs_the_steps_of_an_epoch(fit):
    for kind in ("iter", "loader"):
        with pytest.raises(UserError, match="give `steps_per_epoch` to fit"):
            fit(batches(kind))


@pytest.mark.parametrize("kind", ["map", "dict", "iter", "loader"])
def test_every_kind_has_its_batches(kind):
    found = list(contract.as_pairs(batches(kind)))
    assert [len(x) for x, _ in found] == [8, 8, 6]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), X)
    np.testing.assert_array_equal(np.concatenate([y for _, y in found]), Y)


def test_length_and_batching_are_looked_at():
    source = grain.MapDataset.source(Source())
    assert contract.as_pairs(source.batch(8)).cardinality() == 3
    assert contract.as_pairs(source.batch(8).repeat()).cardinality() == tf.data.INFINITE_CARDINALITY
    with pytest.raises(UserError, match="A data set must be batched"):
        contract.as_pairs(source)
    with pytest.raises(UserError, match="must be NumPy arrays.*Received: str"):
        contract.as_pairs(source.map(lambda pair: "text"))
