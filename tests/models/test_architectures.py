"""The architectures: published parameter counts, PyTorch's padding, ranges of initial values, precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import models
from tfrobust.errors import UserError
from tfrobust.models import parts

CIFAR = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2471, 0.2435, 0.2616)}


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.fixture(scope="module")
def small_resnet():
    return models.preact_resnet18(width=4, input_shape=(16, 16, 3), **CIFAR)


@pytest.mark.parametrize(
    "build,count",
    [
        (lambda: models.mnist_cnn("small"), 166_406),
        (lambda: models.mnist_cnn("large"), 3_274_634),
        (models.preact_resnet18, 11_172_170),
        (models.digits_cnn, 40_506),
    ],
    ids=["mnist_small", "mnist_large", "preact_resnet18", "digits"],
)
def test_published_parameter_counts(build, count):
    assert trainable(build()) == count


def test_preact_resnet_is_its_formula(small_resnet):
    """The same network written from its formula, with explicit padding, on the same weights."""
    rng = np.random.default_rng(10)
    small_resnet.set_weights([w + rng.uniform(0, 0.1, w.shape) for w in small_resnet.get_weights()])
    weights = iter(small_resnet.get_weights())
    images = rng.uniform(size=(2, 16, 16, 3)).astype("float32")

    def activated(x):
        gamma, beta, mean, variance = (next(weights) for _ in range(4))
        return tf.nn.relu((x - mean) / np.sqrt(variance + 1e-5) * gamma + beta)

    def convolved(x, stride, pad):
        x = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        return tf.nn.conv2d(x, next(weights), stride, "VALID")

    x = convolved((images - CIFAR["mean"]) / np.array(CIFAR["std"], "float32"), 1, 1)
    for stride in (1, 1, 2, 1, 2, 1, 2, 1):
        h = activated(x)
        y = convolved(h, stride, 1)
        h_next = activated(y)
        # Keras lists a shortcut's kernel after or before the branch's, by depth: told apart by shape.
        kernels = [next(weights)]
        if stride > 1:
            kernels.append(next(weights))
        one = [k for k in kernels if k.shape[0] == 1]
        (three,) = (k for k in kernels if k.shape[0] == 3)
        y = tf.nn.conv2d(tf.pad(h_next, [[0, 0], [1, 1], [1, 1], [0, 0]]), three, 1, "VALID")
        x = y + (tf.nn.conv2d(h, one[0], stride, "VALID") if one else x)
    pooled = tf.reduce_mean(activated(x), (1, 2))
    expected = pooled @ next(weights) + next(weights)
    np.testing.assert_allclose(small_resnet(images), expected, rtol=1e-4, atol=1e-4)


def test_preact_resnet_starts_he_normal_over_fan_out():
    kernel = keras.ops.convert_to_numpy(parts.fan_out_normal()((3, 3, 32, 200)))
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 200)), rtol=0.02)


def test_mnist_cnn_starts_as_in_pytorch():
    model = models.mnist_cnn("small")
    kernels, biases = model.get_weights()[::2], model.get_weights()[1::2]
    for kernel, bias in zip(kernels, biases):
        limit = 1 / np.sqrt(np.prod(kernel.shape[:-1]))
        assert 0.9 * limit < np.abs(kernel).max() <= limit
        assert 0.5 * limit < np.abs(bias).max() <= limit


def test_mnist_cnn_pads_as_pytorch_does():
    model = models.mnist_cnn("small")
    kernel, bias = model.get_weights()[:2]
    images = np.random.default_rng(11).uniform(size=(2, 28, 28, 1)).astype("float32")
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = tf.nn.relu(tf.nn.conv2d(padded, kernel, 2, "VALID") + bias)
    np.testing.assert_allclose(model.layers[1](images), expected, atol=1e-6)


def test_digits_cnn_has_normalisation_or_biases():
    normalised, plain = models.digits_cnn(), models.digits_cnn(batch_normalization=False)
    assert sum(isinstance(v, models.BatchNormalization) for v in normalised.layers) == 3
    assert not any(isinstance(v, models.BatchNormalization) for v in plain.layers)
    # Two weights a channel against one.
    assert trainable(normalised) - trainable(plain) == 16 + 32 + 64


@pytest.mark.parametrize("activation", ["relu", "softplus", "silu"])
def test_the_activation_is_used_everywhere(activation):
    for model in (
        models.digits_cnn(activation=activation),
        models.mnist_cnn(activation=activation),
        models.preact_resnet18(width=1, input_shape=(8, 8, 1), activation=activation),
    ):
        used = [
            keras.activations.serialize(v.activation)
            for v in model.layers
            if hasattr(v, "activation")
        ]
        assert set(used) == {activation, "linear"}


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_logits_are_wide_under_every_policy(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = models.digits_cnn(batch_normalization=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert model(np.zeros((1, 8, 8, 1))).dtype == ("float64" if policy == "float64" else "float32")


def test_a_seed_names_the_initial_weights():
    first, second = [], []
    for weights in (first, second):
        keras.utils.set_random_seed(3)
        weights.extend(models.mnist_cnn().get_weights())
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras_file_round_trip(small_resnet, tmp_path):
    small_resnet.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(12).uniform(size=(2, 16, 16, 3)).astype("float32")
    np.testing.assert_array_equal(loaded(images), small_resnet(images))


@pytest.mark.parametrize(
    "build,message",
    [
        (lambda: models.preact_resnet18(width=0), "width"),
        (lambda: models.preact_resnet18(activation="tanh"), "'tanh'"),
        (lambda: models.preact_resnet18(mean=(0.5,), std=(0.5,)), "3 channels"),
        (lambda: models.preact_resnet18(mean=(0.5,) * 3), "std=None"),
        (lambda: models.preact_resnet18(mean=(0.5,) * 3, std=(0.5, 0.5, 0.0)), "positive"),
        (lambda: models.mnist_cnn("medium"), "'medium'"),
        (lambda: models.mnist_cnn(num_classes=1), "num_classes"),
        (lambda: models.mnist_cnn(input_shape=(3, 28, 1)), "at least 4 by 4"),
        (lambda: models.digits_cnn(input_shape=(8, 8)), r"input_shape=\(8, 8\)"),
    ],
)
def test_bad_arguments_are_refused(build, message):
    with pytest.raises(UserError, match=message):
        build()
