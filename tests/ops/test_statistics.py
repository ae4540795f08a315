"""The statistics contexts, each by its closed form on the layer that reads them."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops import statistics

CLEAN = np.array([[1.0], [3.0]], "float32")  # mean 2, variance 1, unbiased 2
OTHER = np.array([[6.0], [10.0]], "float32")  # mean 8, variance 4, unbiased 8


@pytest.fixture
def layer():
    layer = BatchNormalization(momentum=0.5, epsilon=1e-12)
    layer.build((None, 1))
    layer.moving_mean.assign([4.0])
    layer.moving_variance.assign([4.0])
    return layer


def running(layer):
    return [float(layer.moving_mean[0]), float(layer.moving_variance[0])]


@pytest.mark.parametrize("training", [False, True])
def test_batch_statistics(layer, training):
    with statistics.batch_statistics(update=False):
        np.testing.assert_allclose(layer(OTHER, training=training), [[-1], [1]], rtol=1e-6)
    assert running(layer) == [4, 4]
    with statistics.batch_statistics(update=True):
        np.testing.assert_allclose(layer(OTHER, training=training), [[-1], [1]], rtol=1e-6)
    assert running(layer) == [6, 6]


@pytest.mark.parametrize("training", [False, True])
def test_running_statistics(layer, training):
    with statistics.running_statistics():
        np.testing.assert_allclose(layer(OTHER, training=training), [[1], [3]], rtol=1e-6)
    assert running(layer) == [4, 4]


@pytest.mark.parametrize("training", [False, True])
def test_capture_and_impose(layer, training):
    with statistics.capture_statistics(update=training) as captured:
        np.testing.assert_allclose(layer(CLEAN), [[-1], [1]], rtol=1e-6)
    assert running(layer) == ([3, 3] if training else [4, 4])
    assert len(captured) == 1
    np.testing.assert_allclose(captured.of(layer), [[2], [1]])
    for _ in range(2):
        with statistics.impose_statistics(captured):
            np.testing.assert_allclose(layer(OTHER, training=training), [[4], [8]], rtol=1e-6)
    assert running(layer) == ([3, 3] if training else [4, 4])


def test_captured_statistics_carry_gradients(layer):
    clean, other = tf.constant(CLEAN), tf.constant(OTHER)
    with tf.GradientTape() as tape:
        tape.watch(clean)
        with statistics.capture_statistics() as captured:
            layer(clean)
        with statistics.impose_statistics(captured):
            total = tf.reduce_sum(layer(other))
    # total = sum(other - mean) / sqrt(variance), mean' = 1/2, variance' = clean - mean = -1, 1.
    np.testing.assert_allclose(tape.gradient(total, clean), [[-1 + 6], [-1 - 6]], rtol=1e-5)


def test_contexts_nest_and_close(layer):
    assert statistics.current() is None
    with statistics.running_statistics():
        with statistics.batch_statistics(update=False):
            assert statistics.current() == statistics.Mode("batch", update=False)
        assert statistics.current() == statistics.Mode("running")
        with pytest.raises(ZeroDivisionError), statistics.batch_statistics():
            raise ZeroDivisionError
        assert statistics.current() == statistics.Mode("running")
    assert statistics.current() is None


def test_a_context_belongs_to_one_thread():
    seen = []
    with statistics.running_statistics():
        thread = threading.Thread(target=lambda: seen.append(statistics.current()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_contexts_inside_a_traced_loop(layer):
    @tf.function
    def run(clean, other):
        with statistics.capture_statistics(update=False) as captured:
            layer(clean)

        def body(i, x):
            with statistics.batch_statistics(update=False):
                layer(x)
            with statistics.impose_statistics(captured):
                return i + 1, layer(x)

        return tf.while_loop(lambda i, x: i < 2, body, (0, other))[1]

    # Each turn subtracts the mean 2 and divides by 1.
    np.testing.assert_allclose(run(CLEAN, OTHER), OTHER - 4, rtol=1e-5)
    assert running(layer) == [4, 4]


def test_a_frozen_layer_ignores_contexts(layer):
    layer.trainable = False
    with statistics.capture_statistics() as captured:
        np.testing.assert_allclose(layer(OTHER), [[1], [3]], rtol=1e-6)
    assert len(captured) == 0
    with statistics.impose_statistics(captured):
        np.testing.assert_allclose(layer(OTHER), [[1], [3]], rtol=1e-6)
    assert running(layer) == [4, 4]


def test_the_functional_call_of_a_model_reads_contexts():
    model = keras.Sequential([keras.Input((1,)), BatchNormalization(epsilon=1e-12)])
    state = [v.value for v in model.non_trainable_variables]
    weights = [v.value for v in model.trainable_variables]
    with statistics.batch_statistics(update=False):
        y, new = model.stateless_call(weights, state, OTHER, training=False)
    np.testing.assert_allclose(y, [[-1], [1]], rtol=1e-6)
    np.testing.assert_array_equal(new, [[0], [1]])


def test_misuse_is_explained(layer):
    with pytest.raises(UserError, match="what `capture_statistics` gave. Received: None"):
        with statistics.impose_statistics(None):
            pass
    with pytest.raises(UserError, match="has none for layer"):
        with statistics.impose_statistics(statistics.Captured()):
            layer(CLEAN)
    with pytest.raises(UserError, match="twice"):
        with statistics.capture_statistics():
            layer(CLEAN)
            layer(CLEAN)
