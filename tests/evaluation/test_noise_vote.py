"""Models with noise are judged by votes: what counts follows from the margin that the noise is added to."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import PGD, Linf
from tfrobust.attacks import APGD
from tfrobust.evaluation import Evaluator, Subject, evaluate, headline
from tfrobust.evaluation.engine.gate import vote
from tfrobust.evaluation.engine.journal import Journal
from tfrobust.evaluation.engine.shards import Shards
from tfrobust.evaluation.reports.headline import find_doubts
from tfrobust.losses import DLR, Margin

NOISE, EPSILON, COUNT = 1.0, 0.1, 150
GENERATOR = np.random.default_rng(0)
W = 4 * GENERATOR.normal(size=(4, 4, 1)).astype("float32")
X = GENERATOR.uniform(0.2, 0.8, size=(COUNT, 4, 4, 1)).astype("float32")
REACH = EPSILON * np.abs(W).sum()
OFFSET = np.float32(REACH - np.median((X * W).sum((1, 2, 3))))
SCORE = (X * W).sum((1, 2, 3)) + OFFSET
Y = np.ones(COUNT, "int64")
TM = Linf(EPSILON)


def noisy(x):
    score = tf.reduce_sum(x * W, axis=(1, 2, 3)) + OFFSET
    score += tf.random.normal(tf.shape(score), stddev=NOISE)
    return tf.stack([tf.zeros_like(score), score, tf.fill(tf.shape(score), -20.0)], axis=1)


# The noise changes a vote of twenty passes at a standard deviation once in three thousand times.
SURE = np.abs(SCORE - REACH) > NOISE
RIGHT = SCORE > NOISE


@pytest.mark.parametrize(
    "attack",
    [
        APGD(TM, eot=4, steps=12),
        APGD(TM, DLR(), eot=4, steps=12),
        PGD(TM, Margin(), eot=4, steps=12, selection="any"),
    ],
    ids=["apgd-ce", "apgd-dlr", "pgd"],
)
def test_what_is_wrong_in_most_passes_is_broken_and_nothing_else(attack):
    found = evaluate(noisy, (X, Y), [("attack", attack)])
    (outcome,) = found.outcomes
    assert found.votes == 20 and found.clean[RIGHT].all()
    sure = SURE & RIGHT
    np.testing.assert_array_equal(outcome.broken[sure], (SCORE < REACH)[sure])
    assert 20 < outcome.broken.sum() < COUNT - 20 and not outcome.rejected.any()
    # Every run that is not broken early goes on to its end.
    assert set(outcome.step[outcome.broken]) == {12}
    told = {f.id: f for f in found.findings}
    assert told["C5"].level == told["C22"].level == "info" and told["C26"].level == "passed"
    assert not find_doubts(found.findings) and "vote of 20 passes" in headline(found)


def test_an_attack_that_is_not_made_for_noise_is_doubted_and_judged_by_the_vote():
    found = evaluate(noisy, (X, Y), [("apgd", APGD(TM, steps=12))], checks="contract")
    (outcome,) = found.outcomes
    told = {f.id: f for f in found.findings}
    assert found.votes == 20 and told["C5"].level == "warning" and told["C22"].level == "warning"
    # What a lucky pass found is outvoted, and no fault of the attack.
    assert outcome.outvoted.any() and not outcome.rejected.any()
    assert told["C26"].level == "passed"
    # The image that was outvoted is kept, and C22 tells how often it is classified right.
    moved = (found.adversarial != X).reshape(COUNT, -1).any(axis=1)
    np.testing.assert_array_equal(moved, outcome.broken | outcome.outvoted)
    # Without checks the suite says what the model is.
    plain = evaluate(noisy, (X, Y), [("apgd", APGD(TM, steps=2))], checks="none")
    assert plain.votes == 1


def test_shards_keep_the_images_that_were_outvoted(tmp_path):
    evaluator = Evaluator(Subject.of(noisy), [("apgd", APGD(TM, steps=4))], votes=20)
    ids, folders = np.arange(COUNT), [tmp_path / "even", tmp_path / "odd"]
    for first, folder in enumerate(folders):
        part = ids[first::2]
        kept = Journal(folder, {"examples": str(first)}, part)
        evaluator(X[part], Y[part], part, kept)
    merged = Shards(folders, {"examples": "all"}, ids, evaluator.attacks)
    predictions, (outcome,), adversarial = evaluator(X, Y, ids, merged)
    assert outcome.outvoted.any() and outcome.broken.any()
    moved = (adversarial != X).reshape(COUNT, -1).any(axis=1)
    np.testing.assert_array_equal(moved, outcome.held & (predictions == Y))


def test_half_of_the_passes_make_it_wrong():
    counter = tf.Variable(0)

    def alternates(x):
        counter.assign_add(1)
        sign = tf.where(counter % 2 == 1, 1.0, -1.0)
        return tf.stack([sign * x[:, 0], tf.zeros_like(x[:, 0])], axis=1)

    x, y = tf.constant([[1.0], [-1.0]]), tf.constant([0, 0])
    # Right in the first and third pass, or in the second one.
    assert [vote(alternates, x, y, 1)[0].numpy().tolist() for _ in range(2)] == [
        [True, False],
        [False, True],
    ]
    assert vote(alternates, x, y, 3)[0].numpy().tolist() == [True, False]
    counter.assign(0)
    assert vote(alternates, x, y, 4)[0].numpy().tolist() == [False, False]
