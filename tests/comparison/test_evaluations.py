"""Evaluations compared in pairs: on thresholds of one pixel, where every verdict is known."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.errors import UserError
from tfrobust.evaluation.accuracy import Judge

EPSILON = 0.1
# 400 pixels at 1/800, 3/800, ...: no distance to a threshold is a tie.
PIXELS = ((np.arange(400) + 0.5) / 400).astype(np.float32)
LABELS = (PIXELS > 0.5).astype(int)


def put_threshold(model, threshold):
    model.set_weights([np.array([[-9.0, 9.0]]), np.array([9.0, -9.0]) * threshold])


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A model, evaluations with thresholds at 0.5, 0.48, 0.45 and 0.42, and their folders."""
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    attack = tfrobust.PGD(tfrobust.Linf(EPSILON), steps=1, step_size=0.2)
    folder, found = tmp_path_factory.mktemp("e"), {}
    for threshold in (0.5, 0.48, 0.45, 0.42):
        put_threshold(model, threshold)
        where = folder / str(threshold)
        data = PIXELS.reshape(-1, 1, 1, 1), LABELS
        made = tfrobust.evaluate(model, data, attack, checks="none", workdir=where)
        found[threshold] = made, where
    return model, found


def withstand(threshold):
    """By hand: right, and farther than epsilon from the threshold."""
    return ((PIXELS > threshold) == LABELS) & (np.abs(PIXELS - threshold) > EPSILON)


def test_a_pair_is_the_one_of_its_verdicts(setting):
    _, found = setting
    first, second = withstand(0.5), withstand(0.42)
    pair = tfrobust.compare_evaluations(found[0.5][0], found[0.42][0], names=("half", "less"))
    assert (pair.first, pair.second, pair.seeds, pair.examples) == ("half", "less", 1, 400)
    assert pair.difference == pytest.approx(100 * (first.mean() - second.mean()))
    # 32 images of each kind are withstood by one only.
    assert ((first & ~second).sum(), (second & ~first).sum()) == (32, 32)
    assert not pair.is_sure and pair.p_values == (1.0,)
    # Other way round, and whatever is given as a folder.
    for one in found[0.42]:
        for other in found[0.5]:
            turned = tfrobust.compare_evaluations(one, other)
            assert turned.first == "A" and turned.difference == -pair.difference
            assert turned.probability == pytest.approx(1.0 - pair.probability, abs=0.02)


def test_the_sentence_begins_with_the_more_robust_one(setting):
    _, found = setting
    some = found[0.5][0]
    lost = dataclasses.replace(some.outcomes[0], broken=np.ones(400, bool))
    none = dataclasses.replace(some, outcomes=(lost,))
    pair = tfrobust.compare_evaluations(none, some, ("none", "some"))
    assert pair.is_sure and pair.probability < 0.01 and pair.difference == -80.0
    assert str(pair).startswith("some is more robust than none: P > 0.99 (+80.0 points, 95 %")


def test_several_evaluations_are_training_seeds(setting):
    _, found = setting
    one, other = [found[0.5][0], found[0.48][1]], (found[0.45][0], found[0.42][0])
    pair = tfrobust.compare_evaluations(one, other)
    assert pair.seeds == 2
    means = [100 * withstand(t).mean() for t in (0.5, 0.48, 0.45, 0.42)]
    assert pair.difference == pytest.approx((means[0] + means[1] - means[2] - means[3]) / 2)
    with pytest.raises(UserError, match="Received: 2 and 1"):
        tfrobust.compare_evaluations(one, other[0])
    with pytest.raises(UserError, match="Received: 0 and 0"):
        tfrobust.compare_evaluations([], [])


def test_what_was_asked_otherwise_is_refused(setting, tmp_path):
    _, found = setting
    one = found[0.5][0]
    for change, words in (
        ({"threat_model": tfrobust.Linf(0.2)}, "threat model: Linf 0.1 and Linf 0.2"),
        ({"suite_hash": "x"}, "settings of the suite"),
        ({"ids": one.ids + 1}, "test examples"),
        ({"votes": 10}, "passes that judge an image: 1 and 10"),
        ({"nan_counts": "robust"}, "without finite logits: broken and robust"),
        ({"outcomes": ()}, "without attacks"),
    ):
        with pytest.raises(UserError, match=words):
            tfrobust.compare_evaluations(one, dataclasses.replace(one, **change))
    with pytest.raises(UserError, match="`names` must be two"):
        tfrobust.compare_evaluations(one, one, names="ab")
    with pytest.raises(UserError, match="report.json"):
        tfrobust.compare_evaluations(one, tmp_path)


def test_each_image_has_its_own_chance_of_the_attack(setting):
    """So that an interval over images has the attack's random numbers in it.

    Of images that are almost alike, at a distance of 0.02, a random corner is on the wrong side with a
    probability of 0.5, a point within 0.1 with 0.4: if images shared the numbers, all would be lost or none.
    """
    model, _ = setting
    put_threshold(model, 0.5)
    x = (0.52 + 1e-6 * np.arange(400)).reshape(-1, 1, 1, 1).astype(np.float32)
    y, room = np.ones(400, int), 4 * np.sqrt(0.4 * 0.6 / 400)
    attack = tfrobust.attacks.RandomNoise(tfrobust.Linf(EPSILON), samples=1)
    found = tfrobust.evaluate(model, (x, y), attack, checks="none")
    # Its first point is a corner.
    assert np.mean(~found.robust) == pytest.approx(0.5, abs=room)
    # The test of a run: a start of its own for each image, and a step that hardly moves it.
    attack = tfrobust.PGD(tfrobust.Linf(EPSILON), steps=1, step_size=1e-4)
    _, robust = Judge(model, attack)(tf.constant(x), tf.constant(y))
    assert np.mean(~robust) == pytest.approx(0.4, abs=room)
