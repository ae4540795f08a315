"""LLR by hand, by identities with natural training, and its statistics pass by pass."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Adam, Clean
from tfrobust.errors import UserError
from tfrobust.losses import LinearityError
from tfrobust.methods import LLR, Natural
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.points import LivePoint
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.schedules import LinearRamp
from tfrobust.threat_models import Linf

pytestmark = pytest.mark.usefixtures("eagerly")

ATTACK = PGD(Linf(0.3), LinearityError(), steps=2, stepper=Adam(), step_size=0.1)
# From 1/2 to 1/4 on the one-pixel classifier.
TO_THE_LEFT = PGD(Linf(0.25), steps=1, relative_step_size=1.0, start=Clean())


def one_pixel(normalized=False):
    """z = (0, 2 x): s = 2 x is the logit of class 1. With BatchNormalization, of the normalised x."""
    layers = [BatchNormalization(momentum=0.5, epsilon=0.01, unbiased_variance=False)]
    model = keras.Sequential(
        [
            keras.Input((1, 1, 1)),
            *(layers if normalized else []),
            keras.layers.Flatten(),
            keras.layers.Dense(2, use_bias=False),
        ]
    )
    model.layers[-1].kernel.assign([[0.0, 2.0]])
    return model


def network(dtype="float32", layer=BatchNormalization, activation="softplus"):
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype=dtype),
            keras.layers.Conv2D(4, 3, dtype=dtype),
            layer(dtype=dtype),
            keras.layers.Activation(activation, dtype=dtype),
            keras.layers.Flatten(dtype=dtype),
            keras.layers.Dense(3, dtype=dtype),
        ]
    )


def step_of(x, y, epoch=0.0):
    keys = keys_of(0)
    return Step(
        x, y, global_batch(x), tf.constant(epoch), tf.constant(0, tf.int64), keys, keys, keys
    )


def context_of(method, x, y, adversarial, epoch=0.0):
    points = {"clean": x, "adversarial": adversarial}
    return StepContext(LivePoint(method.classifier), step_of(x, y, epoch), points, None)


def log_loss(s):
    """Of class 1 at the logit s."""
    return np.log1p(np.exp(-s))


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


@pytest.mark.parametrize(("lam", "mu", "w_nom"), [(4, 2, 2), (1, 0, 0), (0, 3, 0), (0, 0, 1)])
def test_one_step_by_hand(lam, mu, w_nom):
    """l = 0.31326, e = 0.47408 - 0.31326 - 0.53788 / 4 = 0.02634, d . grad l = 0.13447."""

    def loss(w):
        linear = 0.25 * w * (1 - sigmoid(w / 2))
        error = log_loss(w / 4) - log_loss(w / 2) - linear
        return w_nom * log_loss(w / 2) + lam * abs(error) + mu * abs(linear)

    model = one_pixel()
    method = LLR(model, TO_THE_LEFT, lam=lam, mu=mu, w_nom=w_nom)
    method.compile(keras.optimizers.SGD(0.1))
    x = np.full((1, 1, 1, 1), 0.5, "float32")
    logs = method.train_on_batch(x, np.array([1]), return_dict=True)
    np.testing.assert_allclose(logs["label_loss"], 0.31326, atol=1e-5)
    np.testing.assert_allclose(logs["linearity_error"], 0.02634, atol=1e-5)
    np.testing.assert_allclose(logs["linear_change"], 0.13447, atol=1e-5)
    np.testing.assert_allclose(logs["loss"], loss(2.0), rtol=1e-5)
    gradient = (loss(2.0 + 1e-5) - loss(2.0 - 1e-5)) / 2e-5
    kernel = model.layers[-1].kernel.numpy()[0]
    np.testing.assert_allclose(kernel, [0.1 * gradient, 2.0 - 0.1 * gradient], rtol=1e-4)


def test_clean_statistics_by_hand():
    """Pixels 1/4 and 3/4: mean 1/2, variance 1/16, imposed at x + d; grad l sees x's part in both."""
    x = np.array([0.25, 0.75])
    y, delta = np.array([1, 0]), np.array([0.125, 0.25])

    def losses(pixels, mean, variance):
        s = 2.0 * (pixels - mean) / np.sqrt(variance + 0.01)
        return log_loss(np.where(y == 1, s, -s))

    def total(x):
        return losses(x, x.mean(), x.var()).sum()

    steps = 1e-6 * np.eye(2)
    gradient = np.array([(total(x + h) - total(x - h)) / 2e-6 for h in steps])
    moved, clean = losses(x + delta, 0.5, 1 / 16), losses(x, 0.5, 1 / 16)
    method = LLR(one_pixel(normalized=True), ATTACK, lam=4.0, mu=2.0, w_nom=3.0)
    shape = (2, 1, 1, 1)
    pixels = tf.constant(x.reshape(shape), tf.float32)
    adversarial = tf.constant((x + delta).reshape(shape), tf.float32)
    context = context_of(method, pixels, tf.constant(y), adversarial)
    value = method.per_example_loss(context)
    error, change = np.abs(moved - clean - delta * gradient), np.abs(delta * gradient)
    np.testing.assert_allclose(context.parts["linearity_error"], error, rtol=1e-5)
    np.testing.assert_allclose(context.parts["linear_change"], change, rtol=1e-5)
    np.testing.assert_allclose(value, 3 * clean + 4 * error + 2 * change, rtol=1e-5)
    # Three passes, but the averages have moved half way once: from 0 to 1/2, from 1 to 1/16.
    layer = method.classifier.layers[0]
    np.testing.assert_allclose(layer.moving_mean, [0.25], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.5 + 1 / 32], rtol=1e-6)


def test_the_attack_sees_the_clean_statistics_as_constants():
    method = LLR(one_pixel(normalized=True), ATTACK)
    x = tf.reshape(tf.constant([0.25, 0.75]), (2, 1, 1, 1))
    other = tf.reshape(tf.constant([0.5, 1.0]), (2, 1, 1, 1))
    with tf.GradientTape() as tape:
        tape.watch(other)
        logits = method.attacked(step_of(x, tf.constant([1, 0])))(other)[:, 1]
    slope = 2.0 / np.sqrt(1 / 16 + 0.01)
    np.testing.assert_allclose(logits, [0.0, 0.5 * slope], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tf.reshape(tape.gradient(logits, other), [-1]), [slope] * 2, 1e-6)
    layer = method.classifier.layers[0]
    np.testing.assert_array_equal([layer.moving_mean[0], layer.moving_variance[0]], [0.0, 1.0])


@pytest.mark.parametrize("part", ["linearity_error", "linear_change"])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_gradients(part, mode, slope_error):
    """d/dw against central differences, in float64; both signs of e occur."""
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.random((5, 4, 4, 1))), tf.constant([0, 1, 2, 0, 1])
    adversarial = x + tf.constant(rng.uniform(-0.6, 0.6, x.shape))
    model = network("float64")
    for v in model.trainable_variables:
        v.assign(rng.normal(0.3, 0.7, v.shape))
    model.layers[1].trainable = mode == "train"
    method = LLR(model, ATTACK)

    def value():
        context = context_of(method, x, y, adversarial)
        method.per_example_loss(context)
        return tf.reduce_sum(context.parts[part])

    assert slope_error(model, value, 1e-5) < 1e-7


def test_without_its_terms_it_is_natural_training(data, same_weights):
    """w_nom times it: at half the rate with the default 2. All weights, also the moving averages."""
    methods = []
    for make, rate in (
        (lambda c: LLR(c, ATTACK, lam=0.0, mu=0.0), 0.05),
        (Natural, 0.1),
    ):
        methods.append(make(network()))
        methods[-1].compile(keras.optimizers.SGD(rate, momentum=0.9))
        methods[-1].fit(data, epochs=2, verbose=0)
    same_weights(methods[0].classifier, methods[1].classifier, atol=1e-6)
    assert np.abs(methods[0].classifier.layers[1].moving_mean).max() > 0.01


def test_the_attack_moves_by_adam_and_finds_errors():
    """One step is as long as the rate; more of them find more; the projection holds."""
    method = LLR(network(), ATTACK)
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.random((8, 4, 4, 1)), tf.float32), tf.constant([0, 1, 2, 0, 1, 2, 0, 1])
    step = step_of(x, y)
    model = method.attacked(step)

    def found(rate, steps):
        attack = PGD(Linf(0.3), LinearityError(), steps=steps, step_size=rate, stepper=Adam())
        return attack(model, x, y, seed=3).x

    begin = found(0.0, 1)
    moved = found(0.01, 1) - begin
    low, high = np.maximum(x - 0.3, 0.0), np.minimum(x + 0.3, 1.0)
    free = (begin > low + 0.011) & (begin < high - 0.011)
    np.testing.assert_allclose(np.abs(moved)[free], 0.01, rtol=1e-3)
    many = found(0.1, 10)
    assert np.all((many >= low - 1e-6) & (many <= high + 1e-6))
    objective = LinearityError()
    reference = objective.reference(model, x, y)
    errors = [objective(y, model(z), reference, z).numpy() for z in (begin, many)]
    assert errors[1].mean() > 2.0 * errors[0].mean() and np.all(errors[1] > errors[0])
    # Training uses the same search.
    perturbation, points = method.perturb(step)
    expected = ATTACK(model, x, y, seed=step.attack_keys).x
    np.testing.assert_allclose(perturbation.x, expected, atol=1e-6)
    assert points["adversarial"] is perturbation.x


def test_dropout_is_active_in_the_clean_pass_only():
    """Else e would be its noise: at d = 0 it is exactly 0."""
    model = keras.Sequential([*network().layers[:-1], keras.layers.Dropout(0.5)])
    model.add(keras.layers.Dense(3))
    model.build((None, 4, 4, 1))
    x = tf.constant(np.random.default_rng(0).random((4, 4, 4, 1)), tf.float32)
    context = context_of(LLR(model, ATTACK), x, tf.constant([0, 1, 2, 0]), x)
    LLR(model, ATTACK).per_example_loss(context)
    np.testing.assert_array_equal(context.parts["linearity_error"], 0.0)


def test_schedules():
    method = LLR(one_pixel(), TO_THE_LEFT, lam=LinearRamp(2, 0.0, 4.0), mu=0.0, w_nom=0.0)
    x, moved = tf.fill((1, 1, 1, 1), 0.5), tf.fill((1, 1, 1, 1), 0.25)
    values = [
        method.per_example_loss(context_of(method, x, tf.constant([1]), moved, epoch))
        for epoch in (0.0, 1.0, 5.0)
    ]
    np.testing.assert_allclose(tf.concat(values, 0), [0.0, 2 * 0.026344, 4 * 0.026344], atol=1e-5)


def test_refusals_and_warnings():
    stock = network(layer=keras.layers.BatchNormalization)
    with (
        pytest.raises(UserError, match="LLR needs. Use tfrobust.models.with_exact_batch"),
        pytest.warns(UserWarning, match="wrong second derivatives in training mode"),
    ):
        LLR(stock, ATTACK)
    with pytest.warns(UserWarning, match="'activation.*' is piecewise linear.*softplus"):
        LLR(network(activation="relu"), ATTACK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LLR(network(), ATTACK)
        stock.layers[1].trainable = False
        LLR(stock, ATTACK)
    for settings in ({"lam": -1}, {"mu": -1}, {"w_nom": -1}, {"lam": LinearRamp(3, 0, -1)}):
        with pytest.raises(UserError, match=f"`{next(iter(settings))}` must be"):
            LLR(network(), ATTACK, **settings)
