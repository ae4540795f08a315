"""What holds for any images, labels and weights: hypothesis looks for a counterexample."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfrobust import L2, PGD, Linf
from tfrobust.attacks import APGD, FAB, RandomNoise, Square
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.subject import Subject

pytestmark = pytest.mark.slow

COUNT, SIDE, CLASSES = 6, 5, 3
WEIGHTS = tf.Variable(tf.zeros([SIDE * SIDE, CLASSES]))
OFFSETS = tf.Variable(tf.zeros([CLASSES]))


def model(x):
    return tf.nn.relu(tf.reshape(x, [-1, SIDE * SIDE]) @ WEIGHTS) + OFFSETS


def evaluator_of(threat_model, slots):
    attacks = [
        ("pgd", PGD(threat_model, steps=3, selection="any")),
        ("apgd", APGD(threat_model, steps=4)),
        ("fab", FAB(threat_model, steps=3, targets=2)),
        ("square", Square(threat_model, queries=15)),
        ("noise", RandomNoise(threat_model, samples=3)),
    ]
    return Evaluator(Subject.of(model), attacks, slots=slots)


@pytest.fixture(scope="module", params=[Linf(0.1), L2(0.3)], ids=repr)
def evaluators(request):
    """The threat model, and evaluators of it with as many slots as examples, and with two."""
    return request.param, evaluator_of(request.param, COUNT), evaluator_of(request.param, 2)


def floats(low, high):
    return st.floats(low, high, width=32, allow_subnormal=False)


@settings(max_examples=12, deadline=None)
@given(
    x=hnp.arrays(np.float32, (COUNT, SIDE, SIDE, 1), elements=floats(0, 1)),
    y=hnp.arrays(np.int64, COUNT, elements=st.integers(0, CLASSES - 1)),
    weights=hnp.arrays(np.float32, WEIGHTS.shape, elements=floats(-3, 3)),
    offsets=hnp.arrays(np.float32, CLASSES, elements=floats(-1, 1)),
    order=st.permutations(range(COUNT)),
)
def test_inside_never_above_clean_never_more_with_an_attack_more(
    evaluators, x, y, weights, offsets, order
):
    threat_model, whole, two = evaluators
    WEIGHTS.assign(weights)
    OFFSETS.assign(offsets)
    ids = np.arange(COUNT)
    predictions, outcomes, adversarial = whole(x, y, ids)
    standing = predictions == y
    for outcome in outcomes:
        assert not outcome.rejected.any()
        assert (outcome.broken <= standing).all()
        standing = standing & ~outcome.broken
    assert standing.sum() <= (predictions == y).sum()
    # Inside ball and box; a broken example is wrong, one that stands is its clean image.
    distance = threat_model.distance(tf.constant(adversarial), tf.constant(x)).numpy()
    assert (distance <= threat_model.radius() * (1 + 1e-6) + 1e-7).all()
    assert adversarial.min() >= 0 and adversarial.max() <= 1 and np.isfinite(adversarial).all()
    np.testing.assert_array_equal(np.argmax(model(adversarial), axis=1) == y, standing)
    np.testing.assert_array_equal(adversarial[standing], x[standing])
    # Another order and another number of slots.
    order = np.array(order)
    mixed, others, _ = two(x[order], y[order], ids[order])
    np.testing.assert_array_equal(mixed, predictions[order])
    for outcome, other in zip(outcomes, others, strict=True):
        np.testing.assert_array_equal(other.broken, outcome.broken[order])
