"""Random noise: how often it flips a linear model, by the central limit theorem."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from tfrobust.attacks.case import Case
from tfrobust.attacks.noise import RandomNoise
from tfrobust.errors import UserError
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.threat_models import L2, Linf

SHAPE = (8, 8, 3)
N = int(np.prod(SHAPE))
RNG = np.random.default_rng(0)
W = RNG.normal(size=N).astype("float32")
X = RNG.uniform(0.3, 0.7, size=SHAPE).astype("float32")
EPSILON, MARGIN = 0.1, 1.5
COUNT = 8000
SEEDS = np.stack([np.arange(COUNT), np.full(COUNT, 3)], axis=1).astype("int32")


def linear(x):
    """Logits (0, s) with s = MARGIN at X; the label is 1."""
    score = tf.reshape(x - X, [-1, N]) @ W[:, None] + MARGIN
    return tf.concat([tf.zeros_like(score), score], axis=1)


def states(attack, steps, count=COUNT):
    """The states after each of the first steps, for one image with many seeds."""
    x, y = tf.tile(X[None], [count, 1, 1, 1]), tf.ones(count, tf.int32)
    run, radius = tf.zeros_like(y), tf.constant(attack.threat_model.radius())
    case = Case(x, y, linear(x), run, ExampleKeys(tf.constant(SEEDS[:count])), radius)
    state = attack.begin(case)
    for _ in range(steps):
        state = attack.step(linear, case, state)
        yield case, state


def flips(attack, steps):
    """How many of those that stood each step flipped, and how many stood."""
    stood = COUNT
    for _, state in states(attack, steps):
        left = int((~state["broken"].numpy()).sum())
        yield stood - left, stood
        stood = left


def test_corners_and_uniform_points_in_turn_flip_as_often_as_the_card_says():
    length = EPSILON * np.linalg.norm(W)
    corner, inner = norm.cdf(-MARGIN / length), norm.cdf(-MARGIN * np.sqrt(3) / length)
    assert corner > 3 * inner > 0.03
    attack = RandomNoise(Linf(EPSILON), samples=6)
    for number, (flipped, stood) in enumerate(flips(attack, 6)):
        expected = (corner, inner)[number % 2]
        deviation = np.sqrt(expected * (1 - expected) / stood)
        # Four standard deviations, and what 192 terms are away from a normal distribution.
        assert abs(flipped / stood - expected) < 4 * deviation + 0.002, number


def test_points_of_a_sphere_flip_as_often_as_a_direction_is_near_enough():
    radius = 1.0
    attack = RandomNoise(L2(radius), samples=2)
    # One coordinate of a uniform direction has variance 1/n.
    expected = norm.cdf(-MARGIN * np.sqrt(N) / (radius * np.linalg.norm(W)))
    for flipped, stood in flips(attack, 2):
        deviation = np.sqrt(expected * (1 - expected) / stood)
        assert abs(flipped / stood - expected) < 4 * deviation + 0.002


@pytest.mark.parametrize("threat_model", [Linf(EPSILON), L2(0.8)], ids=str)
def test_samples_lie_where_they_should_and_what_is_found_is_misclassified(threat_model):
    attack = RandomNoise(threat_model, samples=2)
    for number in range(2):
        x = tf.tile(X[None], [50, 1, 1, 1])
        y = tf.ones(50, tf.int32)
        keys, radius = ExampleKeys(tf.constant(SEEDS[:50])), tf.constant(threat_model.radius())
        point = attack.draw(x, radius, keys, y * 0 + number)
        np.testing.assert_allclose(
            threat_model.distance(point, x), threat_model.radius(), rtol=0.05 if number else 1e-4
        )
        moved = np.abs(point - x)
        if isinstance(threat_model, Linf) and number == 0:
            np.testing.assert_allclose(moved, EPSILON, rtol=1e-4)
        if isinstance(threat_model, Linf) and number == 1:
            assert abs(moved.mean() - EPSILON / 2) < 0.002
    *_, (case, state) = states(attack, 2, 200)
    broken = state["broken"].numpy()
    found = state["adversarial"].numpy()[broken]
    assert 0 < broken.sum() < 200 and (linear(found).numpy()[:, 1] <= 0).all()
    distance = threat_model.distance(found, case.x[: len(found)]).numpy()
    assert (distance <= threat_model.radius() + 1e-6).all()
    assert (state["index"].numpy()[~broken] == 2).all() and state["done"].numpy().all()
    np.testing.assert_array_equal(state["best"], case.x)


def test_neither_batch_nor_order_matter_with_a_seed_for_every_example():
    attack = RandomNoise(Linf(EPSILON), samples=8)
    x, y = RNG.uniform(0.25, 0.75, size=(30, *SHAPE)).astype("float32"), np.ones(30, "int32")

    def model(q):
        score = tf.reshape(q - 0.5, [-1, N]) @ W[:, None] + 1.0
        return tf.concat([tf.zeros_like(score), score], axis=1)

    whole = attack(model, x, y, seed=SEEDS[:30])
    mixed = RNG.permutation(30)[:7]
    part = attack(model, x[mixed], y[mixed], seed=SEEDS[mixed])
    np.testing.assert_array_equal(part.x, whole.x.numpy()[mixed])
    np.testing.assert_array_equal(part.survived, whole.survived.numpy()[mixed])
    # With one seed for the batch, too, every step draws anew.
    steps = attack(model, x, y, seed=0).survived.numpy()
    assert len(set(steps)) > 3
    np.testing.assert_array_equal(attack(model, x, y, seed=0).survived, steps)


def test_an_unbreakable_model_costs_all_samples_and_keeps_the_images():
    attack = RandomNoise(Linf(EPSILON), samples=5)
    found = attack(lambda x: tf.one_hot(tf.ones(tf.shape(x)[0], tf.int32), 2), X[None], [1], seed=0)
    np.testing.assert_array_equal(found.x, X[None])
    assert found.survived == 5


def test_settings_are_checked_and_survive_serialisation():
    attack = RandomNoise(L2(0.5), 7)
    assert RandomNoise.from_config(attack.get_config()) == attack
    with pytest.raises(UserError, match="samples"):
        RandomNoise(Linf(0.1), samples=0)
