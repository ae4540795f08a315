"""A model that gives NaN for attacked images only: searches go on, and what was NaN is counted by itself."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import PGD, Linf
from tfrobust.attacks import APGD, FAB, RandomNoise, RayS, Square, Transfer
from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.errors import UserError
from tfrobust.evaluation import evaluate, headline
from tfrobust.evaluation.checks import check_contract, check_suite
from tfrobust.evaluation.reports.evaluation import write_reports
from tfrobust.losses import Margin, TargetedDLR

EPSILON, COUNT = 0.03, 48
GENERATOR = np.random.default_rng(0)
X = GENERATOR.uniform(0.3, 0.7, size=(COUNT, 4, 4, 1)).astype("float32")
X[:, 1, 1] = 0.5
W = GENERATOR.normal(size=(4, 4, 1)).astype("float32")
# This pixel tells nothing; what is brighter there by 0.3 radii gives no number.
W[1, 1] = 0.0
SCORE = (X * W).sum((1, 2, 3)) - np.median((X * W).sum((1, 2, 3)))
Y = (SCORE > 0).astype("int64")
FALLS = np.abs(SCORE) < EPSILON * np.abs(W).sum()
TM = Linf(EPSILON)


def plain(x):
    score = tf.reduce_sum(x * W, axis=(1, 2, 3)) - np.float32(np.median((X * W).sum((1, 2, 3))))
    return tf.stack([tf.zeros_like(score), score, tf.fill(tf.shape(score), -9.0)], axis=1)


def holes(x):
    lost = x[:, 1, 1] > 0.5 + 0.3 * EPSILON
    return tf.where(lost, np.float32(np.nan), plain(x))


EXACT = {
    "apgd": APGD(TM, steps=12),
    "apgd-t": APGD(TM, TargetedDLR(), steps=12, targets=2),
    "apgd-eot": APGD(TM, steps=12, eot=2),
    "pgd": PGD(TM, Margin(), steps=25, selection="any"),
    "pgd-last": PGD(TM, Margin(), steps=25),
    "pgd-best": PGD(TM, Margin(), steps=25, selection="best"),
    "adam": adam_pgd(TM, Margin(), steps=25),
    "fab": FAB(TM, steps=25, restarts=2),
}
OTHERS = {
    "square": Square(TM, queries=300),
    "rays": RayS(TM, queries=300),
    "noise": RandomNoise(TM, samples=60),
    "transfer": Transfer(PGD(TM, steps=10), (plain,)),
}


@pytest.mark.parametrize("name", [*EXACT, *OTHERS])
def test_a_search_goes_on_where_the_model_gives_no_number(name):
    attack = (EXACT | OTHERS)[name]
    found = evaluate(holes, (X, Y), [(name, attack)], checks="none")
    (outcome,) = found.outcomes
    assert not outcome.rejected.any() and not outcome.broken[~FALLS].any()
    if name in EXACT:
        # The pixel is of no use: what can be broken is broken without it.
        np.testing.assert_array_equal(outcome.broken, FALLS)
    else:
        assert outcome.broken.sum() > FALLS.sum() // 5
    # No example is counted twice, and what stands without a number is no robust example.
    assert not (outcome.unanswered & outcome.broken).any()
    np.testing.assert_array_equal(found.robust, found.clean & ~outcome.broken & ~outcome.unanswered)
    if name not in ("fab", "transfer", "rays"):
        assert found.unanswered.sum() > 3


def test_what_was_no_number_is_a_line_of_its_own(tmp_path):
    attacks = [("apgd", APGD(TM, steps=12)), ("noise", RandomNoise(TM, samples=60))]
    broken, robust = (
        evaluate(holes, (X, Y), attacks, checks="none", nan_counts=value)
        for value in ("broken", "robust")
    )
    lost = int(broken.unanswered.sum())
    assert lost > 0 and robust.robust.sum() - broken.robust.sum() == lost
    assert f"{lost} without finite logits count as broken" in headline(broken)
    assert f"{lost} without finite logits count as robust" in headline(robust)
    told = [{f.id: f for f in check_suite(found)} for found in (broken, robust)]
    assert [found["C42"].level for found in told] == ["warning", "severe"]
    assert told[0]["C27"].level == told[0]["C26"].level == "passed"
    text = write_reports(broken, X, tmp_path)
    assert "without finite logits in the ball, counted as broken" in text
    rows = list(csv.DictReader((tmp_path / "examples.csv").read_text().splitlines()))
    assert [row["unanswered"] == "true" for row in rows] == broken.unanswered.tolist()
    with pytest.raises(UserError, match="nan_counts"):
        evaluate(holes, (X, Y), attacks, nan_counts="perhaps")


def test_it_is_said_before_the_attacks():
    for model, level in ((plain, "passed"), (holes, "warning")):
        told = {f.id: f for f in check_contract(model, X, Y, TM, 3)}
        assert told["C35"].level == level and told["C1"].level == "passed"
