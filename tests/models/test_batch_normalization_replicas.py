"""The global batch on two devices against the same batch on one: statistics, outputs, gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops import statistics

IMAGES = np.random.default_rng(5).normal(1, 2, (6, 2, 2, 3))
TARGETS = np.random.default_rng(6).normal(size=(6, 2))


@pytest.fixture(scope="module")
def strategy():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def network():
    model = keras.Sequential([keras.Input((2, 2, 3), dtype="float64")])
    model.add(keras.layers.Conv2D(4, 2, dtype="float64"))
    model.add(BatchNormalization(dtype="float64"))
    model.add(keras.layers.Activation("softplus", dtype="float64"))
    model.add(keras.layers.Flatten(dtype="float64"))
    model.add(keras.layers.Dense(2, dtype="float64"))
    rng = np.random.default_rng(7)
    for v in model.variables:
        v.assign(rng.uniform(0.2, 1, v.shape))
    return model


def step(model, x, targets):
    """Outputs, their derivative along all weights, and gradients of a loss that has both in it."""
    weights = [v.value for v in model.trainable_variables]
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.autodiff.ForwardAccumulator(weights, [tf.ones_like(w) for w in weights]) as forward:
            with tf.GradientTape() as inner:
                inner.watch(x)
                logits = model(x, training=True)
                loss = tf.reduce_sum((logits - targets) ** 2)
        pixels = inner.gradient(loss, x)
        jvp = forward.jvp(logits)
        total = loss + tf.reduce_sum(pixels**2) + tf.reduce_sum(jvp**2)
    gradients = outer.gradient(total, [x, *weights], unconnected_gradients="zero")
    return logits, jvp, gradients[0], gradients[1:]


def on_replicas(strategy, model, x, targets, sizes):
    """Runs `step` with the first sizes[0] examples on one replica, the others on the next."""
    bounds = np.cumsum([0, *sizes])

    def local(array):
        values = [tf.constant(array[a:b]) for a, b in zip(bounds, bounds[1:])]
        return strategy.experimental_distribute_values_from_function(
            lambda context: values[context.replica_id_in_sync_group]
        )

    @tf.function
    def run(x, targets):
        return strategy.run(step, (model, x, targets))

    logits, jvp, pixels, weights = run(local(x), local(targets))
    joined = [tf.concat(strategy.experimental_local_results(v), 0) for v in (logits, jvp, pixels)]
    summed = [tf.add_n(strategy.experimental_local_results(g)) for g in weights]
    return [*joined, *summed]


@pytest.mark.parametrize(
    "sizes", [(3, 2), (0, 4), *(pytest.param(s, marks=pytest.mark.slow) for s in ((3, 3), (1, 0)))]
)
def test_two_devices_equal_one(strategy, sizes):
    x, targets = (array[: sum(sizes)] for array in (IMAGES, TARGETS))
    single = network()
    logits, jvp, pixels, weights = tf.function(step)(single, tf.constant(x), tf.constant(targets))
    with strategy.scope():
        double = network()
    results = on_replicas(strategy, double, x, targets, sizes)
    for two, one in zip(results, [logits, jvp, pixels, *weights], strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-10)
    for two, one in zip(double.non_trainable_variables, single.non_trainable_variables):
        copies = [c.numpy() for c in strategy.experimental_local_results(two.value)]
        np.testing.assert_array_equal(copies[0], copies[1])
        np.testing.assert_allclose(copies[0], one, rtol=1e-12)


def test_each_replica_reads_its_own_context(strategy):
    with strategy.scope():
        layer = BatchNormalization()
        layer.build((None, 1))

    @tf.function
    def run():
        def replica():
            context = tf.distribute.get_replica_context()
            x = tf.fill([2, 1], 4.0 + 2.0 * float(context.replica_id_in_sync_group))
            with statistics.capture_statistics(update=False) as captured:
                layer(x)
            with statistics.impose_statistics(captured):
                return layer(x)

        return strategy.run(replica)

    # Values 4, 4, 6, 6: mean 5, variance 1.
    low, high = strategy.experimental_local_results(run())
    np.testing.assert_allclose(low, [[-1]] * 2, rtol=1e-4)
    np.testing.assert_allclose(high, [[1]] * 2, rtol=1e-4)
    assert layer.moving_mean.numpy() == 0


def test_batch_statistics_in_a_loop_on_two_devices_are_refused(strategy):
    with strategy.scope():
        layer = BatchNormalization()
        layer.build((None, 1))

    @tf.function(autograph=False)
    def run():
        def replica():
            def body(i, x):
                return i + 1, layer(x, training=True)

            return tf.while_loop(lambda i, x: i < 3, body, (0, tf.ones([2, 1])))

        return strategy.run(replica)

    with pytest.raises(UserError, match="in a loop"):
        run()
