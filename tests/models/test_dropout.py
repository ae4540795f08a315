"""Dropout whose masks belong to rows of the global batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.models import (
    Dropout,
    with_exact_batch_normalization,
    with_stock_batch_normalization,
)


def test_mask_and_expectation():
    x = tf.ones((400, 50))
    y = Dropout(0.3, seed=1)(x, training=True).numpy()
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.7)}
    # Four standard errors of the share that is kept.
    assert abs((y > 0).mean() - 0.7) < 4 * (0.3 * 0.7 / y.size) ** 0.5


def test_inference_and_rate_zero_do_nothing():
    x = tf.ones((4, 5))
    assert Dropout(0.3)(x, training=False) is x and Dropout(0.0)(x, training=True) is x


def test_masks_change_from_call_to_call_and_follow_the_seed():
    one, two, other = Dropout(0.5, seed=1), Dropout(0.5, seed=1), Dropout(0.5, seed=2)
    x = tf.ones((10, 10))
    first, second = one(x, training=True), one(x, training=True)
    np.testing.assert_array_equal(two(x, training=True), first)
    assert np.any(first != second) and np.any(first != other(x, training=True))


def test_replicas_draw_the_rows_of_the_whole(two_replicas):
    expected = Dropout(0.5, seed=1)(tf.ones((7, 6)), training=True).numpy()
    with two_replicas.scope():
        layer = Dropout(0.5, seed=1)

    @tf.function
    def run():
        def replica():
            context = tf.distribute.get_replica_context()
            index = tf.convert_to_tensor(context.replica_id_in_sync_group)
            return layer(tf.ones((4 - index, 6)), training=True)

        return two_replicas.run(replica)

    rows = [v.numpy() for v in two_replicas.experimental_local_results(run())]
    assert [len(part) for part in rows] == [4, 3]
    np.testing.assert_array_equal(np.concatenate(rows), expected)


def test_a_file_keeps_the_place_in_the_sequence(tmp_path):
    model = keras.Sequential([keras.Input((9,)), Dropout(0.5, seed=1)])
    x = tf.ones((5, 9))
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x, training=True), model(x, training=True))


def test_swap_there_and_back():
    model = keras.Sequential([keras.Input((9,)), Dropout(0.5, seed=1, name="drop")])
    stock = with_stock_batch_normalization(model)
    assert type(stock.layers[0]) is keras.layers.Dropout
    back = with_exact_batch_normalization(stock)
    assert type(back.layers[0]) is Dropout
    assert back.layers[0].get_config() == model.layers[0].get_config()
    columns = keras.layers.Dropout(0.5, noise_shape=(None, 1))
    kept = with_exact_batch_normalization(keras.Sequential([keras.Input((9,)), columns]))
    assert type(kept.layers[0]) is keras.layers.Dropout


@pytest.mark.parametrize("rate", [-0.1, 1.0, 30, "x"])
def test_refusals(rate):
    with pytest.raises(UserError, match="`rate`"):
        Dropout(rate)
