"""Training for randomised smoothing: the plain methods without noise, by hand, one noise for all."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean
from tfrobust.methods import ADV, GaussianNoise, Natural, SmoothAdv
from tfrobust.methods.context import Step
from tfrobust.methods.gaussian_noise import draw_noise
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.threat_models import L2

ATTACK = PGD(L2(0.3), steps=2, step_size=0.1, start=Clean())
CONTRACT = {
    "gaussian_noise": GaussianNoise,
    "smooth_adv": lambda classifier, **options: SmoothAdv(classifier, ATTACK, **options),
}
RATE = 0.5
GENERATOR = np.random.default_rng(0)
X = GENERATOR.uniform(0.3, 0.7, (8, 2, 2, 1)).astype("float32")
Y = np.arange(8) % 2
# Of two classes: z = (0, w x), so that p_1 = 1 / (1 + exp(-w x)).
W = GENERATOR.normal(0, 2, 4).astype("float32")

pytestmark = pytest.mark.usefixtures("eagerly")


def make_linear():
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
    )
    model.set_weights([np.stack([0 * W, W], axis=1)])
    return model


def make_step(offset=0, rows=8):
    x = tf.constant(X[offset : offset + rows])
    keys = keys_of(3)._replace(offset=offset)
    y, zero = tf.constant(Y[offset : offset + rows]), tf.constant(0.0)
    return Step(x, y, global_batch(x), zero, tf.constant(0, tf.int64), keys, keys, keys)


def train(method):
    """The loss and the weights after a step, and the images at which it was taken."""
    seen = {}
    perturb = method.perturb

    def watch(step):
        found, points = perturb(step)
        seen.update(points)
        return found, points

    method.perturb = watch
    method.compile(keras.optimizers.SGD(RATE))
    method.steps_per_epoch = 2
    logs = method.train_on_batch(X, Y, return_dict=True)
    return (
        logs["loss"],
        method.classifier.get_weights(),
        {k: np.asarray(v) for k, v in seen.items()},
    )


@pytest.mark.parametrize(
    ("smoothed", "plain"),
    [
        (lambda c: GaussianNoise(c, sigma=0.0), Natural),
        (lambda c: SmoothAdv(c, ATTACK, sigma=0.0, samples=3), lambda c: ADV(c, ATTACK)),
    ],
    ids=["natural", "adv"],
)
def test_without_noise_it_is_the_plain_method(smoothed, plain):
    loss, weights, _ = train(smoothed(make_linear()))
    expected, others, _ = train(plain(make_linear()))
    assert loss == pytest.approx(expected, rel=1e-6)
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def by_hand(points):
    """The mean loss at these images and the kernel after a step of gradient descent."""
    signs = 2.0 * Y - 1.0
    flat = np.stack([x.reshape(8, 4) for x in points]).astype("float64")
    margins = signs * (flat @ W)
    slopes = -signs / (1.0 + np.exp(margins))
    gradient = np.mean(slopes[..., None] * flat, axis=(0, 1))
    loss = np.mean(np.log1p(np.exp(-margins)))
    return loss, np.stack([RATE * gradient, W - RATE * gradient], axis=1)


def test_a_step_on_noise_by_hand():
    loss, weights, points = train(GaussianNoise(make_linear(), sigma=0.4))
    expected, kernel = by_hand([points["noisy"]])
    assert loss == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(weights[0], kernel, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(points["clean"], X)


def test_a_step_of_smooth_adv_by_hand():
    """Against a linear model of two classes the worst direction is w, whatever the noise."""
    loss, weights, points = train(SmoothAdv(make_linear(), ATTACK, sigma=0.4, samples=3))
    direction = (W / np.linalg.norm(W)).reshape(2, 2, 1)
    signs = (2.0 * Y - 1.0)[:, None, None, None]
    np.testing.assert_allclose(points["adversarial"], X - 0.2 * signs * direction, atol=1e-5)
    noisy = [points[f"noisy_{j}"] for j in range(3)]
    expected, kernel = by_hand(noisy)
    assert loss == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(weights[0], kernel, rtol=1e-4, atol=1e-5)


def test_the_attack_climbs_the_mean_probability_at_the_noise_of_the_loss():
    model = make_linear()
    method, step = SmoothAdv(model, ATTACK, sigma=0.7, samples=4), make_step()
    _, points = method.perturb(step)
    probabilities = [tf.nn.softmax(model(points[f"noisy_{j}"])) for j in range(4)]
    seen = tf.nn.softmax(method.attacked(step)(points["adversarial"]))
    np.testing.assert_allclose(seen, np.mean(probabilities, axis=0), rtol=1e-5)
    rows = np.arange(8)
    of_mean = -np.log(seen.numpy()[rows, Y])
    losses = [-np.log(p.numpy()[rows, Y]) for p in probabilities]
    assert np.all(of_mean < np.mean(losses, axis=0))  # Jensen: it is not the mean of the losses.


def test_noise_is_normal_and_belongs_to_the_row_of_the_global_batch():
    whole = np.stack(draw_noise(make_step(), 0.5, 300))
    rest = np.stack(draw_noise(make_step(offset=3, rows=5), 0.5, 3))
    # Vectorised logarithms may differ in the last bit.
    np.testing.assert_allclose(whole[:3, 3:], rest, rtol=1e-6, atol=1e-7)
    # 9600 numbers: three standard errors.
    assert abs(whole.mean()) < 0.016 and abs(whole.std() - 0.5) < 0.011
    assert np.unique(whole).size > 9500
    _, points = GaussianNoise(make_linear(), sigma=0.5).perturb(make_step())
    np.testing.assert_array_equal(points["noisy"], X + whole[0])
    assert points["noisy"].numpy().min() < 0.0  # It is not cut to [0, 1].
