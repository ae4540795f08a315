"""What an evaluation costs: counts on a model that nothing breaks; times are measured, not tested."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import APGD
from tfrobust.attacks.square import Square
from tfrobust.benchmarks import evaluation as benchmark
from tfrobust.evaluation import Examples, Subject, custom
from tfrobust.threat_models import Linf

X = np.random.default_rng(0).random((6, 4, 4, 1), np.float32)


def unbreakable(x):
    """Class 0 by 100, with a slope that is not zero."""
    slope = tf.reduce_sum(x, axis=[1, 2, 3])
    return tf.stack([100.0 + 1e-3 * slope, tf.zeros_like(slope)], axis=1)


def test_counts_are_those_of_examples_that_stand_and_the_search_is_traced_once():
    suite = custom(attacks=(("apgd-ce", APGD(Linf(0.1), steps=5)), ("mine", Square(Linf(0.1), 40))))
    rows = benchmark.measure_suite(
        Subject.of(unbreakable), Examples.of(X, np.zeros(6, int)), suite, slots=2
    )
    cells = {row[0]: dict(zip(benchmark.HEAD, row, strict=True)) for row in rows}
    apgd, square = cells["apgd-ce"], cells["mine"]
    assert (apgd["examples"], apgd["F needed"], apgd["B needed"]) == ("6", "6", "6")
    # AutoAttack's code makes 102 + 101 for its hundred steps.
    assert apgd["of the reference"] == f"{12 / 203:.3f}" and square["of the reference"] == "-"
    assert 1 <= int(square["F needed"]) <= 41 and square["B needed"] == "0"
    assert apgd["traces"] == square["traces"] == "1"
    whole = cells[suite.name]
    assert whole["examples"] == "6, 6 robust" and whole["of the reference"] == "-"
    assert int(whole["F needed"]) == 1 + 6 + int(square["F needed"])


def test_passes_are_means_over_turns_and_their_time_is_not_the_searchs():
    samples = iter([(1.0, 3.0), (3.0, 6.0)])
    turns = benchmark._Turns({"apgd": lambda: next(samples)})
    turns.begin("apgd")
    turns.show(0.5, "")
    turns.end("apgd", "")
    assert turns.passes("apgd") == pytest.approx((2.0, 2.5))
    assert turns.seconds["apgd"] > 0.0
