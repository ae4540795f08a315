"""BatchNormalization against closed forms, finite differences in float64 and Keras's own layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.models.batch_normalization import BatchNormalization


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(1.5, 2.0, (6, 3, 2, 4)).astype("float32")


def normalised(x, epsilon=1e-5):
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon)


def test_training_normalises_by_the_batch(images):
    layer = BatchNormalization(epsilon=0.1)
    layer.build(images.shape)
    layer.gamma.assign([1.0, 2.0, 3.0, 4.0])
    layer.beta.assign([0.0, -1.0, 1.0, 2.0])
    expected = normalised(images.astype("float64"), 0.1) * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(images, training=True), expected, atol=2e-6)


def test_running_statistics_are_pytorchs():
    # torch.nn.BatchNorm1d(1, momentum=0.1) on [[1], [2], [6]]: mean 3, unbiased variance (4 + 1 +
    # 9) / 2 = 7.
    x = np.array([[1.0], [2.0], [6.0]], "float32")
    layer = BatchNormalization()
    layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean, [0.1 * 3], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.9 + 0.1 * 7], rtol=1e-6)
    layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean, [0.19 * 3], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.81 + 0.19 * 7], rtol=1e-6)
    expected = (x - 0.19 * 3) / np.sqrt(0.81 + 0.19 * 7 + 1e-5)
    np.testing.assert_allclose(layer(x, training=False), expected, rtol=1e-5)

    biased = BatchNormalization(unbiased_variance=False)
    biased(x, training=True)
    np.testing.assert_allclose(biased.moving_variance, [0.9 + 0.1 * 14 / 3], rtol=1e-6)


def test_one_value_per_channel_has_variance_zero():
    layer = BatchNormalization()
    np.testing.assert_allclose(
        layer(np.full((1, 3), 7.0, "float32"), training=True), np.zeros((1, 3))
    )
    np.testing.assert_allclose(layer.moving_variance, np.full(3, 0.9), rtol=1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "center,scale", [(True, True), (False, True), (True, False), (False, False)]
)
def test_outputs_and_first_gradients_are_those_of_keras(images, training, center, scale):
    settings = {"momentum": 0.8, "epsilon": 1e-3, "center": center, "scale": scale}
    results = []
    for layer in (
        BatchNormalization(unbiased_variance=False, **settings),
        keras.layers.BatchNormalization(**settings),
    ):
        layer.build(images.shape)
        rng = np.random.default_rng(2)
        layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
        x = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            loss = tf.reduce_sum(y * tf.cos(y))
        gradients = tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])
        results.append([y, *gradients, *(w.numpy() for w in layer.weights)])
    for ours, stock in zip(*results, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-4, atol=2e-5)


def test_a_frozen_layer_uses_the_running_statistics(images):
    layer = BatchNormalization(trainable=False)
    y = layer(images, training=True)
    np.testing.assert_allclose(y, images / np.sqrt(1 + 1e-5), rtol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_statistics_are_float32_under_reduced_precision(policy):
    # Around 1000 bfloat16 has steps of 4 and float16 overflows in the square: only wider sums get
    # this right.
    x = tf.cast(1000 + 8 * tf.range(64), "bfloat16" if "bfloat16" in policy else "float16")[:, None]
    layer = BatchNormalization(dtype=policy)
    y = layer(x, training=True)
    assert y.dtype == x.dtype
    wide = tf.cast(x, "float64").numpy()
    np.testing.assert_allclose(tf.cast(y, "float64"), normalised(wide), atol=0.02)
    assert layer.moving_mean.dtype == layer.moving_variance.dtype == "float32"
    np.testing.assert_allclose(layer.moving_mean, [0.1 * wide.mean()], rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, [0.9 + 0.1 * wide.var(ddof=1)], rtol=1e-5)


def test_stateless_call_returns_the_new_statistics(images):
    model = keras.Sequential([keras.Input(images.shape[1:]), BatchNormalization()])
    before = [v.numpy() for v in model.variables]
    trainable = [v.value for v in model.trainable_variables]
    state = [v.value for v in model.non_trainable_variables]
    y, new = model.stateless_call(trainable, state, images, training=True)
    np.testing.assert_allclose(y, normalised(images), atol=1e-5)
    np.testing.assert_allclose(new[0], 0.1 * images.mean((0, 1, 2)), rtol=1e-5)
    for v, b in zip(model.variables, before):
        np.testing.assert_array_equal(v, b)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_keras_file_round_trip(images, tmp_path):
    layer = BatchNormalization(
        momentum=0.7,
        epsilon=0.01,
        gamma_regularizer=keras.regularizers.L2(0.5),
        unbiased_variance=False,
    )
    model = keras.Sequential([keras.Input(images.shape[1:]), layer])
    model(images, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(images), model(images))
    assert float(sum(loaded.losses)) == float(sum(model.losses)) == 0.5 * 4


def test_unknown_batch_sizes_trace_once(images):
    layer = BatchNormalization()
    layer.build(images.shape)
    step = tf.function(
        lambda x: layer(x, training=True), input_signature=[tf.TensorSpec((None, None, None, 4))]
    )
    for n in (2, 5):
        np.testing.assert_allclose(step(images[:n]), normalised(images[:n]), atol=1e-5)
    assert step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    "settings,message",
    [
        ({"momentum": 1.0}, "momentum=1.0"),
        ({"momentum": -0.1}, "momentum=-0.1"),
        ({"momentum": "0.9"}, "momentum='0.9'"),
        ({"epsilon": 0}, "epsilon=0"),
        ({"epsilon": float("nan")}, "epsilon=nan"),
    ],
)
def test_bad_arguments_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        BatchNormalization(**settings)


def test_unknown_channels_are_refused():
    with pytest.raises(UserError, match="known number of channels"):
        BatchNormalization()(keras.Input((4, None)))
