"""On linear models every attack has an answer that can be written down."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Adam, Clean, Radial, Uniform
from tfrobust.losses import DLR, CrossEntropy, Margin, ToLabel
from tfrobust.ops.random.keys import BatchKeys, seed_pair
from tfrobust.threat_models import L1, L2, Linf

EPS = 0.1
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(9,)).astype("float32")
# Class 1 has the logit s(x) = w.x, class 0 has none; the third never matters.
MATRIX = tf.constant(np.stack([0 * WEIGHTS, WEIGHTS, 0 * WEIGHTS - 0.0], axis=1))
X = RNG.random((40, 3, 3, 1)).astype("float32")
Y = (np.arange(40) % 2).astype("int64")
SIGN = np.where(Y == 0, 1.0, -1.0)[:, None]  # where the score should go
INTERIOR = np.clip(X, 0.3, 0.7)


def linear(x):
    return tf.reshape(x, [-1, 9]) @ MATRIX + tf.constant([0.0, 0.0, -9.0])


def flat(x):
    return np.reshape(x, (len(x), -1))


def best_linf(x):
    """The exact maximiser over ball and box, for either label."""
    return np.clip(flat(x) + EPS * SIGN * np.sign(WEIGHTS), 0.0, 1.0)


FGSM = PGD(Linf(EPS), steps=1, relative_step_size=1.0, start=Clean())


def test_fgsm_is_optimal():
    np.testing.assert_allclose(flat(FGSM(linear, X, Y, seed=0).x), best_linf(X), atol=1e-7)


def test_robust_exactly_where_the_margin_says():
    """With the threshold at zero, robust iff s exceeds sum |w_i| min(eps, room_i)."""
    score = -SIGN[:, 0] * (flat(X) @ WEIGHTS)
    down = -SIGN * np.sign(WEIGHTS) > 0
    room = np.minimum(np.where(down, flat(X), 1.0 - flat(X)), EPS)
    expected = score > (np.abs(WEIGHTS) * room).sum(axis=1)
    attacked = flat(FGSM(linear, X, Y, seed=0).x) @ WEIGHTS
    np.testing.assert_array_equal(-SIGN[:, 0] * attacked > 0, expected)
    assert 0 < expected.sum() < 40


@pytest.mark.parametrize(
    ("threat_model", "norm"), [(Linf(EPS), np.inf), (L2(EPS), 2), (L1(EPS), 1)], ids=str
)
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_it_ends_as_far_from_the_image_as_it_can_reach(threat_model, norm, steps):
    """On a linear model, away from the box, every step goes on in one direction."""
    attack = PGD(threat_model, steps=steps, relative_step_size=0.1, start=Clean())
    moved = flat(attack(linear, INTERIOR, Y, seed=0).x - INTERIOR)
    assert attack.relative_reach == pytest.approx(0.1 * steps)
    np.testing.assert_allclose(np.linalg.norm(moved, norm, axis=1) / EPS, 0.1 * steps, rtol=1e-5)
    assert dataclasses.replace(attack, start=Uniform()).relative_reach == 1.0


@pytest.mark.parametrize("factor", [2.0, 5.0])
def test_scale_of_the_logits_does_not_matter(factor):
    scaled = FGSM(lambda x: factor * linear(x), X, Y, seed=0).x
    np.testing.assert_array_equal(scaled, FGSM(linear, X, Y, seed=0).x)


@pytest.mark.parametrize(
    "attack",
    [
        PGD(Linf(0.0), steps=3),
        PGD(L2(0.0), steps=3, step_size=0.1),
        PGD(L1(0.0), steps=3, step_size=0.1),
        PGD(Linf(0.0), steps=2, stepper=Adam(), step_size=0.1),
    ],
    ids=repr,
)
def test_epsilon_zero_gives_the_images_bit_for_bit(attack):
    np.testing.assert_array_equal(attack(linear, X, Y, seed=1).x, X)


def test_one_step_from_a_random_start():
    """FGSM-RS: a coordinate ends at eps iff its start was within 1.25 eps of it, else 1.25 eps on."""
    attack = PGD(Linf(EPS), steps=1, relative_step_size=1.25)
    delta = flat(attack(linear, INTERIOR, Y, seed=3).x - INTERIOR) * SIGN * np.sign(WEIGHTS)
    keys = BatchKeys(seed_pair(3)).fold_in(0)
    start = flat(EPS * (2.0 * keys.uniform(INTERIOR.shape) - 1.0)) * SIGN * np.sign(WEIGHTS)
    np.testing.assert_allclose(delta, np.minimum(start + 1.25 * EPS, EPS), atol=1e-6)
    at_the_face = np.mean(delta > EPS - 1e-6)
    assert abs(at_the_face - 0.625) < 4 * (0.625 * 0.375 / delta.size) ** 0.5


def test_two_radii_in_one_step_forget_the_start():
    attack = PGD(Linf(EPS), steps=1, relative_step_size=2.0)
    np.testing.assert_allclose(flat(attack(linear, X, Y, seed=3).x), best_linf(X), atol=1e-7)


@pytest.mark.parametrize("objective", [CrossEntropy(), ToLabel(), Margin(), DLR()], ids=repr)
def test_pgd_reaches_the_corner(objective):
    attack = PGD(Linf(EPS), objective, steps=8, relative_step_size=0.25)
    np.testing.assert_allclose(flat(attack(linear, X, Y, seed=5).x), best_linf(X), atol=1e-7)


def test_step_size_in_pixels_ignores_the_ramp_and_a_relative_one_follows():
    pixels = PGD(Linf(EPS), steps=1, step_size=0.02, start=Clean())
    radii = PGD(Linf(EPS), steps=1, relative_step_size=0.5, start=Clean())
    default = PGD(Linf(EPS), steps=1, start=Clean())
    for attack, length in ((pixels, 0.02), (radii, 0.02), (default, 0.01)):
        found = attack(linear, INTERIOR, Y, seed=0, scale=0.4).x
        np.testing.assert_allclose(np.abs(found - INTERIOR), length, rtol=1e-5)


@pytest.mark.parametrize("start", [Uniform(), Radial(), Clean()], ids=repr)
def test_l2_converges_to_the_gradient_direction(start):
    attack = PGD(L2(EPS), steps=10, relative_step_size=0.5, start=start)
    delta = flat(attack(linear, INTERIOR, Y, seed=2).x - INTERIOR)
    gain = (delta * SIGN * WEIGHTS).sum(axis=1) / (EPS * np.linalg.norm(WEIGHTS))
    assert gain.min() >= 0.999
    assert np.linalg.norm(delta, axis=1).max() <= EPS * (1 + 1e-5)


TOP = np.arange(9) == np.argmax(np.abs(WEIGHTS))


def test_fgsm_in_l1_is_optimal_where_one_pixel_has_room():
    """The best of a linear function is epsilon times the largest |w_i|, by that pixel alone."""
    attack = PGD(L1(0.25), steps=1, relative_step_size=1.0, start=Clean())
    delta = flat(attack(linear, INTERIOR, Y, seed=0).x - INTERIOR)
    np.testing.assert_allclose(delta, 0.25 * SIGN * np.sign(WEIGHTS) * TOP, atol=1e-6)
    # Where it has none, the step ends at the box.
    found = flat(attack(linear, X, Y, seed=0).x)
    np.testing.assert_allclose(found, np.clip(flat(X) + delta, 0.0, 1.0), atol=1e-6)


def test_pgd_in_l1_forgets_its_start():
    attack = PGD(L1(0.25), steps=12, relative_step_size=0.5)
    found = flat(attack(linear, INTERIOR, Y, seed=2).x - INTERIOR)
    np.testing.assert_allclose(found, 0.25 * SIGN * np.sign(WEIGHTS) * TOP, atol=1e-5)


def test_l2_with_gradients_too_small_to_square():
    step = PGD(L2(EPS), Margin(), steps=1, relative_step_size=1.0, start=Clean())
    expected = step(linear, INTERIOR, Y, seed=0).x
    tiny = step(lambda x: 1e-25 * linear(x), INTERIOR, Y, seed=0).x
    np.testing.assert_allclose(tiny, expected, atol=1e-6)


@pytest.mark.parametrize("threat_model", [Linf(EPS), L2(EPS), L1(EPS)], ids=repr)
def test_zero_gradient_leaves_the_image_alone(threat_model):
    attack = PGD(threat_model, Margin(), steps=3, start=Clean())
    np.testing.assert_array_equal(attack(lambda x: 0.0 * linear(x), X, Y, seed=0).x, X)


@pytest.mark.parametrize("threat_model", [Linf(EPS), L2(EPS), L1(EPS)], ids=repr)
@pytest.mark.parametrize("stepper", [Adam(), None], ids=["adam", "steepest"])
def test_a_nan_gradient_moves_nothing_else(threat_model, stepper):
    """The slope of |x - 1/2|, written with a root, is infinity times zero where x = 1/2."""
    x = INTERIOR.copy()
    x[:, 0, 0] = 0.5

    def model(x):
        kink = tf.sqrt(tf.square(x[:, 0, 0] - 0.5))
        return linear(x) + 1e-6 * kink * tf.constant([1.0, 0.0, 0.0])

    options = {} if stepper is None else {"stepper": stepper}
    attack = PGD(threat_model, Margin(), steps=3, start=Clean(), **options)
    found = attack(model, x, Y, seed=0).x.numpy()
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, 0, 0], x[:, 0, 0])
    moved = np.abs(found - x)[:, 1:]
    # In L1 a step moves one pixel.
    one = isinstance(threat_model, L1) and stepper is None
    assert (moved.max(axis=(1, 2, 3)) if one else moved).min() > 1e-4


def test_survived_counts_the_steps_that_came_in_right():
    """s = x - 1/2 of one pixel; y = 1 at x = 0.67, 0.1 a step: right at 0.67, 0.57, wrong at 0.47."""

    def model(x):
        score = tf.reshape(x, [-1, 1]) - 0.5
        return tf.concat([-score, score], axis=1)

    attack = PGD(Linf(0.5), steps=4, step_size=0.1, start=Clean(), keep=(1, 3))
    found = attack(model, tf.fill((1, 1, 1, 1), 0.67), [1], seed=0)
    assert found.survived.numpy().tolist() == [2]
    np.testing.assert_allclose([float(p[0, 0, 0, 0]) for p in found.path], [0.57, 0.37], rtol=1e-5)
    np.testing.assert_allclose(found.x[0, 0, 0, 0], 0.27, rtol=1e-5)
