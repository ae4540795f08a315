"""Losses over planes and errors of linearity, against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.figures.linearity import measure_linearity_errors
from tfrobust.figures.planes import loss_over_plane, random_direction, signed_gradient
from tfrobust.figures.weight_planes import draw_filter_normalised, loss_over_weights

WEIGHTS = np.array([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.0], [2.0, 1.0]], np.float32)


def linear(x):
    return tf.reshape(x, (-1, 4)) @ WEIGHTS


def cross_entropy(logits, label):
    return np.log(np.exp(logits).sum(-1)) - logits[..., label]


@pytest.fixture(scope="module")
def image():
    return np.array([0.2, 0.4, 0.6, 0.8], np.float32).reshape(2, 2, 1)


def test_a_plane_of_images_is_the_loss_at_each_of_its_points(image):
    first, second = random_direction((2, 2, 1), 0), random_direction((2, 2, 1), 3)
    # More than one pass of rows.
    places, shares = np.linspace(-0.3, 0.3, 13), []
    found = loss_over_plane(linear, image, 1, first, second, places, shares.append)
    a, b = np.meshgrid(places, places, indexing="ij")
    images = image.ravel() + a[..., None] * first.ravel() + b[..., None] * second.ravel()
    np.testing.assert_allclose(found, cross_entropy(images @ WEIGHTS, 1), rtol=1e-5)
    np.testing.assert_allclose(found[6, 6], cross_entropy(image.ravel() @ WEIGHTS, 1), rtol=1e-6)
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) == 2


def test_the_sign_of_the_gradient_of_a_linear_model(image):
    # d loss / d x = W (p - y), and for two classes p - y = ±(p_0)(1, -1) for the label 1.
    np.testing.assert_array_equal(
        signed_gradient(linear, image, 1).ravel(), np.sign(WEIGHTS[:, 0] - WEIGHTS[:, 1])
    )


def test_passes_to_one_image_stay_in_graphs(image):
    """Outside of graphs TensorFlow computes gradients by all weights, which nobody asked for."""
    eager = []

    def forward(x):
        eager.append(tf.executing_eagerly())
        return linear(x)

    signed_gradient(forward, image, 1)
    loss_over_plane(forward, image, 1, image, image, np.zeros(2, np.float32))
    measure_linearity_errors(forward, image[None], np.array([1]), tfrobust.Linf(0.1), steps=1)
    assert eager and not any(eager)


def test_random_signs_are_a_function_of_the_seed():
    one, again, other = (random_direction((8, 8, 1), seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any() and set(np.unique(one)) == {-1.0, 1.0}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            keras.layers.Conv2D(3, 2, padding="same"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )


def test_every_filter_of_a_direction_is_as_long_as_the_models_own(model):
    directions = draw_filter_normalised(model, seed=1)
    for variable, direction in zip(model.trainable_variables, directions, strict=True):
        weights = np.asarray(variable.numpy())
        if weights.ndim == 1:
            assert not direction.any()
        else:
            axes = tuple(range(weights.ndim - 1))
            np.testing.assert_allclose(
                np.linalg.norm(direction.reshape(-1, weights.shape[-1]), axis=0),
                np.sqrt((weights**2).sum(axis=axes)),
                rtol=1e-5,
            )


def test_a_depthwise_kernel_has_a_filter_for_each_channel():
    layers = [keras.Input((4, 4, 3)), keras.layers.DepthwiseConv2D(3, depth_multiplier=2)]
    depthwise = keras.Sequential(layers)
    kernel = np.asarray(depthwise.layers[0].kernel)
    direction, _ = draw_filter_normalised(depthwise, seed=1)
    lengths = [np.sqrt((values**2).sum((0, 1))) for values in (kernel, direction)]
    assert lengths[0].shape == (3, 2)
    np.testing.assert_allclose(*lengths, rtol=1e-5)


def test_a_plane_of_weights_is_the_loss_with_those_weights(model, image):
    images, labels = np.stack([image, 1 - image]), np.array([0, 1])
    directions = [draw_filter_normalised(model, seed) for seed in (1, 2)]
    places = np.array([-0.5, 0.0, 1.0])
    before = model.get_weights()
    found = loss_over_weights(model, images, labels, *directions, places)
    for weight, former in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, former)
    other = keras.models.clone_model(model)
    for i, a in enumerate(places):
        for j, b in enumerate(places):
            other.set_weights(
                [w + a * one + b * two for w, one, two in zip(before, *directions, strict=True)]
            )
            logits = np.asarray(other(images))
            wanted = np.mean([cross_entropy(z, y) for z, y in zip(logits, labels, strict=True)])
            np.testing.assert_allclose(found[i, j], wanted, rtol=1e-5)


def test_the_error_of_a_loss_of_one_pixel_is_that_at_an_end_of_the_ball():
    def forward(x):
        pixel = tf.reshape(x, (-1, 1))
        return tf.concat([4.0 * pixel, 0.0 * pixel], axis=1)

    x, radius = np.linspace(0.3, 0.7, 5), 0.2
    found = measure_linearity_errors(
        forward,
        x.reshape(-1, 1, 1, 1).astype(np.float32),
        np.ones(5, int),
        tfrobust.Linf(radius),
        20,
    )

    def loss(p):
        return np.log1p(np.exp(4 * p))

    slope = 4 / (1 + np.exp(-4 * x))
    wanted = np.max([np.abs(loss(x + d) - loss(x) - d * slope) for d in (-radius, radius)], axis=0)
    # The error is convex in d, so that its maximum is at an end; PGD may stop at the other one.
    smaller = np.min([np.abs(loss(x + d) - loss(x) - d * slope) for d in (-radius, radius)], axis=0)
    assert np.all(np.isclose(found, wanted, rtol=1e-4) | np.isclose(found, smaller, rtol=1e-4))
    assert np.isclose(found, wanted, rtol=1e-4).any()


def test_a_loss_that_is_linear_has_no_error():
    def forward(x):
        # exp(z) sums to one everywhere, so that the cross-entropy is -z, linear in the pixels.
        p = 0.25 + 0.1 * tf.reduce_sum(x, axis=[1, 2, 3])
        return tf.stack([tf.math.log1p(-tf.exp(-p)), -p], axis=1)

    images = np.random.default_rng(0).random((130, 2, 2, 1), np.float32)
    found = measure_linearity_errors(
        forward, images, np.ones(130, int), tfrobust.Linf(0.1), steps=3
    )
    assert found.shape == (130,) and np.all(found < 1e-6)
