"""Bounds of networks: by hand, exact where they can be, around whatever was sampled or attacked."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import tfrobust
from tfrobust.bounds import Interval, Tightening, bound_margins, read_network
from tfrobust.bounds.arithmetic import PROOF, TRAINING, Arithmetic

LAYERS = keras.layers


def make_box(x, epsilon):
    return Interval(
        tf.constant(np.maximum(x - epsilon, 0)), tf.constant(np.minimum(x + epsilon, 1))
    )


def find_margins(network, box, y, method):
    tight = Tightening(network)(box) if method == "crown" else network.propagate(box, PROOF)
    return bound_margins(network, *tight, tf.constant(y), PROOF, method != "ibp").numpy()


def make_network_of_all_layers():
    """Every layer with a rule, at least once."""
    inputs = keras.Input((8, 8, 2))
    x = LAYERS.Rescaling(2.0, -1.0)(inputs)
    x = LAYERS.Normalization(mean=[0.1, -0.2], variance=[0.5, 2.0])(x)
    x = LAYERS.ZeroPadding2D(1)(x)
    x = LAYERS.Conv2D(4, 3, strides=1, activation="relu")(x)
    x = tfrobust.models.BatchNormalization()(x)
    side = LAYERS.Conv2D(4, 3, dilation_rate=2, padding="same")(x)
    side = LAYERS.LeakyReLU(negative_slope=0.1)(LAYERS.BatchNormalization()(side))
    x = LAYERS.Subtract()([LAYERS.Add()([x, side]), LAYERS.Activation("tanh")(x)])
    x = LAYERS.MaxPooling2D(2)(x)
    x = LAYERS.Average()([LAYERS.Activation("sigmoid")(x), LAYERS.ELU()(x)])
    x = LAYERS.DepthwiseConv2D(3, padding="same", activation="softplus")(x)
    x = LAYERS.Dropout(0.5)(LAYERS.ReLU(6.0)(x))
    inner = keras.Input(x.shape[1:])
    block = keras.Model(inner, LAYERS.AveragePooling2D(2)(LAYERS.Cropping2D(0)(inner)))
    pooled = LAYERS.GlobalAveragePooling2D()(x)
    flat = LAYERS.Flatten()(LAYERS.Reshape((2, 8))(LAYERS.Reshape((16,))(block(x))))
    x = LAYERS.Concatenate()([flat, pooled])
    return keras.Model(inputs, LAYERS.Dense(3)(x))


@pytest.fixture(scope="module")
def everything():
    keras.utils.set_random_seed(3)
    model = make_network_of_all_layers()
    generator = np.random.default_rng(5)
    # Running statistics and factors that do something, of both signs.
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            gamma, beta, mean, variance = (np.asarray(w) for w in layer.get_weights())
            layer.set_weights(
                [
                    generator.normal(0, 1, gamma.shape),
                    generator.normal(0, 1, beta.shape),
                    generator.normal(0, 1, mean.shape),
                    generator.uniform(0.5, 2, variance.shape),
                ]
            )
    network = read_network(model)
    return model, network, Tightening(network)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**20), epsilon=st.sampled_from([0.0, 0.003, 0.02, 0.1]))
def test_bounds_contain_what_is_sampled(everything, seed, epsilon):
    model, network, tightening = everything
    generator = np.random.default_rng(seed)
    x = generator.random((2, 8, 8, 2), np.float32)
    y = np.array([0, 2])
    box = make_box(x, np.float32(epsilon))
    plain, tight = network.propagate(box, PROOF), tightening(box)
    found = {
        "ibp": bound_margins(network, *plain, tf.constant(y), PROOF, False).numpy(),
        "crown_ibp": bound_margins(network, *plain, tf.constant(y), PROOF, True).numpy(),
        "crown": bound_margins(network, *tight, tf.constant(y), PROOF, True).numpy(),
    }
    lower, upper = box.lower.numpy()[None], box.upper.numpy()[None]
    share = generator.random((1000, *x.shape), np.float32)
    share[:300] = share[:300] > 0.5
    # 1,000 points of each image in each of five cases: inside, and corners.
    points = np.clip(lower + share * (upper - lower), lower, upper).reshape(-1, 8, 8, 2)
    logits = model(points, training=False).numpy().astype(np.float64).reshape(-1, 2, 3)
    for boxes, _ in (plain, tight):
        assert (logits >= boxes[-1].lower.numpy()).all() and (
            logits <= boxes[-1].upper.numpy()
        ).all()
    margins = logits[:, np.arange(2), y][:, :, None] - logits
    for name, bounds in found.items():
        assert (margins >= bounds).all(), name
    if epsilon == 0.0:
        for bounds in found.values():
            np.testing.assert_allclose(bounds, margins[0], atol=1e-3)


def test_tightened_boxes_lie_inside(everything):
    _, network, tightening = everything
    box = make_box(np.full((1, 8, 8, 2), 0.5, np.float32), 0.05)
    widths = []
    for boxes, _ in (network.propagate(box, PROOF), tightening(box)):
        widths.append([float(tf.reduce_sum(b.upper - b.lower)) for b in boxes])
    assert all(tight <= wide * (1 + 1e-12) for wide, tight in zip(*widths, strict=True))
    assert widths[1][-1] < 0.9 * widths[0][-1]


def test_two_layers_by_hand():
    """z = W2 relu(W1 x), x in [0, 1]^2 around (1/2, 1/2) with radius 1/2."""
    model = keras.Sequential(
        [
            keras.Input((1, 1, 2)),
            LAYERS.Flatten(),
            LAYERS.Dense(2, "relu", use_bias=False),
            LAYERS.Dense(2, use_bias=False),
        ]
    )
    model.set_weights([np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])])
    network = read_network(model)
    box = make_box(np.full((1, 1, 1, 2), 0.5, np.float32), 0.5)
    boxes, _ = network.propagate(box, PROOF)
    # a = x1 + x2 in [0, 2], b = x1 - x2 in [-1, 1]; relu(b) in [0, 1].
    np.testing.assert_allclose(boxes[2].lower, [[0, -1]], atol=1e-5)
    np.testing.assert_allclose(boxes[2].upper, [[2, 1]], atol=1e-5)
    # z0 - z1 = a - relu(b): intervals give 0 - 1; by the chord relu(b) <= (b + 1) / 2 it is at least
    # x1 / 2 + 3 x2 / 2 - 1/2 >= -1/2. (The least value is 0.)
    np.testing.assert_allclose(find_margins(network, box, [0], "ibp"), [[0, -1]], atol=1e-5)
    np.testing.assert_allclose(find_margins(network, box, [0], "crown_ibp"), [[0, -0.5]], atol=1e-5)
    # z1 - z0 = relu(b) - a >= 0 - a, as u > -l does not hold: the lower line is 0, a <= 2.
    np.testing.assert_allclose(find_margins(network, box, [1], "crown"), [[-2, 0]], atol=1e-5)


def test_linear_networks_have_exact_bounds():
    keras.utils.set_random_seed(0)
    layers = [
        LAYERS.Conv2D(3, 3, 2, "same"),
        LAYERS.BatchNormalization(),
        LAYERS.AveragePooling2D(2),
    ]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers, LAYERS.Flatten(), LAYERS.Dense(3)])
    x = np.random.default_rng(1).random((2, 8, 8, 1), np.float32)
    epsilon, y = 0.1, np.array([1, 2])
    box = make_box(x, epsilon)
    found = find_margins(read_network(model), box, y, "ibp")
    with tf.GradientTape() as tape:
        images = tf.constant(x)
        tape.watch(images)
        logits = model(images, training=False)
        margins = tf.gather(logits, y, batch_dims=1)[:, None] - logits
    slope = tape.batch_jacobian(margins, images).numpy().astype(np.float64)
    lower, upper = (part.numpy()[:, None].astype(np.float64) for part in box)
    least = margins.numpy() + np.sum(
        np.maximum(slope, 0) * (lower - x[:, None]) + np.minimum(slope, 0) * (upper - x[:, None]),
        axis=(2, 3, 4),
    )
    np.testing.assert_allclose(found, least, atol=2e-5)


def test_attacked_points_lie_inside_and_the_bound_is_close():
    """PGD on a trained network: no margin below the bound, and none far above CROWN's."""
    keras.utils.set_random_seed(0)
    model = tfrobust.models.digits_cnn(batch_normalization=False)
    data = tfrobust.data.digits()
    images, labels = data.train.images[:512], data.train.labels[:512]
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, labels, epochs=4, verbose=0)
    x = (data.test.images[:8] / 255.0).astype(np.float32)
    y = np.asarray(data.test.labels[:8])
    threat_model = tfrobust.Linf(0.02)
    attack = tfrobust.PGD(threat_model, tfrobust.Margin(), steps=30, step_size=0.004)
    found = attack(model, x, y, seed=0).x
    logits = model(found, training=False).numpy().astype(np.float64)
    margins = logits[np.arange(8), y][:, None] - logits
    margins[np.arange(8), y] = np.inf
    network = read_network(model)
    box = make_box(x, 0.02 + 1e-6)
    gaps = []
    for method in ("ibp", "crown_ibp", "crown"):
        bounds = find_margins(network, box, y, method)
        assert (margins >= bounds).all(), method
        bounds[np.arange(8), y] = np.inf
        gaps.append(np.mean(margins.min(axis=1) - bounds.min(axis=1)))
    assert gaps[0] > gaps[1] > gaps[2] > 0 and gaps[2] < 0.1 * gaps[0]


def test_rounding_is_enclosed_and_would_not_be_without_its_bound():
    """Sums of large numbers that cancel: their float32 result is not the exact one."""
    generator = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((1, 1, 2000)), LAYERS.Flatten(), LAYERS.Dense(20)])
    kernel = (1e4 * generator.normal(0, 1, (1000, 20))).astype(np.float32)
    model.set_weights([np.concatenate([kernel, -kernel]), np.zeros(20, np.float32)])
    half = generator.random((4, 1, 1, 1000), np.float32)
    x = np.concatenate([half, half], axis=-1)
    logits = model(x, training=False).numpy()
    network = read_network(model)
    box = make_box(x, np.float32(0))
    assert np.abs(logits).max() > 0.0
    boxes, _ = network.propagate(box, PROOF)
    assert (logits >= boxes[-1].lower).numpy().all() and (logits <= boxes[-1].upper).numpy().all()
    exact, _ = network.propagate(box, Arithmetic("float64", 0.0))
    assert not ((logits >= exact[-1].lower) & (logits <= exact[-1].upper)).numpy().all()


def make_products(weights, *more):
    """Products of one pixel, layer by layer, without biases."""
    widths = [np.shape(w)[1] for w in (weights, *more)]
    layers = [LAYERS.Dense(width, use_bias=False) for width in widths]
    model = keras.Sequential([keras.Input((1, 1, 1)), LAYERS.Flatten(), *layers])
    model.set_weights([np.asarray(w, np.float32) for w in (weights, *more)])
    return model


def certify_pixel(model, value, epsilon, label):
    x = np.full((1, 1, 1, 1), value, np.float32)
    found = tfrobust.certify(model, (x, np.array([label])), "bounds", tfrobust.Linf(epsilon))
    return bool(found.clean[0]), bool(found.certified[0])


def test_what_underflows_is_not_certified():
    """z = (0, a b x): above 0 for every x > 0, but float32 makes 0 of it below x = 0.001."""
    model = make_products([[1e-19]], [[0.0, 1e3 * 2.0**-126 / 1e-19]])
    logits = model(np.array([0.002, 0.0005], np.float32).reshape(2, 1, 1, 1)).numpy()
    assert logits[0, 1] > 0.0 and logits[1, 1] == 0.0
    assert certify_pixel(model, 0.002, 0.0015, 1) == (True, False)
    # What is large beside 2^-126 is.
    assert certify_pixel(make_products([[1.0]], [[0.0, 1.0]]), 0.002, 0.0015, 1) == (True, True)


def test_what_overflows_is_not_certified():
    """z = (h, h / 2) with h = a x: exact numbers are ordered for every x > 0, float32 has inf and inf."""
    model = make_products([[3.4e38]], [[2.02, 2.01]])
    logits = model(np.array([0.45, 0.55], np.float32).reshape(2, 1, 1, 1)).numpy()
    assert logits[0, 0] > logits[0, 1] and not np.isfinite(logits[1]).any()
    network = read_network(model, for_proof=False)
    box = make_box(np.full((1, 1, 1, 1), 0.45, np.float32), np.float32(0.1))
    for method in ("ibp", "crown_ibp", "crown"):
        assert np.isnan(find_margins(network, box, [0], method)).all()


def test_a_weight_that_is_no_number_proves_nothing():
    """max(NaN, 0) may be 0: activations could hide it."""
    for activation in ("relu", "sigmoid"):
        layers = [LAYERS.Flatten(), LAYERS.Dense(2, activation), LAYERS.Dense(2)]
        model = keras.Sequential([keras.Input((1, 1, 1)), *layers])
        for bad in (np.nan, np.inf, -np.inf):
            weights = [[[bad, 1.0]], [0.0, 0.0], [[0.0, 0.0], [1.0, 0.0]], [5.0, 0.0]]
            model.set_weights([np.asarray(w, np.float32) for w in weights])
            network = read_network(model, for_proof=False)
            box = make_box(np.full((1, 1, 1, 1), 0.5, np.float32), np.float32(0.1))
            for method in ("ibp", "crown_ibp", "crown"):
                assert np.isnan(find_margins(network, box, [0], method)).all()


def test_bounds_for_training_have_gradients():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            LAYERS.Conv2D(2, 3, activation="relu"),
            LAYERS.Flatten(),
            LAYERS.Dense(3),
        ]
    )
    network = read_network(model)
    x = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    box = make_box(x, np.float32(0.1))
    y = tf.constant([0, 1, 2])

    def total(to_images):
        boxes, errors = network.propagate(box, TRAINING)
        return tf.reduce_sum(bound_margins(network, boxes, errors, y, TRAINING, to_images))

    for to_images in (False, True):
        with tf.GradientTape() as tape:
            value = total(to_images)
        kernel = model.layers[0].kernel
        gradient = tape.gradient(value, kernel).numpy()
        step = np.zeros_like(gradient)
        step[1, 1, 0, 0] = 1e-2
        values = []
        for sign in (1, -1):
            kernel.assign_add(sign * step)
            values.append(float(total(to_images)))
            kernel.assign_sub(sign * step)
        assert gradient[1, 1, 0, 0] == pytest.approx((values[0] - values[1]) / 2e-2, rel=0.05)
        proof = bound_margins(network, *network.propagate(box, PROOF), y, PROOF, to_images)
        assert float(tf.reduce_sum(proof)) == pytest.approx(float(value), abs=1e-4)
