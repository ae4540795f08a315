"""What the checks beside the attacks may cost, what they share, and what they say that they left out."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import PGD, Linf
from tfrobust.attacks import APGD
from tfrobust.attacks.noise import RandomNoise
from tfrobust.evaluation import Outcome, evaluate
from tfrobust.evaluation.checks import check_behaviour, check_contract, read_limits
from tfrobust.evaluation.checks.beside import budget, noise
from tfrobust.evaluation.checks.beside.budget import Budget, Grant, NotAfforded
from tfrobust.evaluation.checks.beside.grant import grant_passes
from tfrobust.evaluation.checks.beside.runs import Runs
from tfrobust.evaluation.checks.beside.standing import Standing, summarize_outcomes
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.evaluation.checks.traced import TracedModel
from tfrobust.losses import DLR, TargetedDLR
from tfrobust.losses.margin import margin
from tfrobust.ops.random.keys import ExampleKeys

TM = Linf(0.05)
NOBODY = np.zeros(128, bool)
SMALL = read_limits({"C36": {"steps": 5}})


def outcome(attack, broken=NOBODY, passes=(0, 0), seconds=1.0, tracing=0.0):
    zeros = np.zeros(128, int)
    masks = ~NOBODY, broken, NOBODY
    return Outcome("a", attack, *masks, *[zeros] * 4, {}, passes, 1.0, 1, seconds, tracing)


def make_runs(tiny, limits=SMALL, budget=None, standing=None, classes=3):
    model = tiny.linear(classes)
    given = tiny.x, tiny.labels_of(model), None, TM, True, True, 128
    return Runs(Probe(model, *given), limits, budget, standing)


def test_the_smallest_of_share_and_seconds_is_granted():
    # 900,000 passes in 9 s, of which one is a trace: 112,500 a second, counted as 100,000.
    made = [outcome(PGD(TM), passes=(500_000, 400_000), seconds=9.0, tracing=1.0)]
    limits = read_limits({"C36": {"seconds": 3}})
    assert grant_passes(made, 5_000, Limits()).passes == 900_000 / 4 - 5_000
    slow = grant_passes(made, 0, limits)
    assert slow.passes == 3 / 2 * 100_000 and "half of 3 seconds" in slow.rule
    # A tenth faster or slower, the same is looked at.
    for factor in (0.9, 1.1):
        timed = [dataclasses.replace(made[0], seconds=1 + 8 * factor)]
        assert grant_passes(timed, 0, limits).passes == slow.passes
    # What is asked for by name may cost more than a cheap suite, but never more seconds.
    few = [outcome(PGD(TM), passes=(500, 500))]
    assert grant_passes(few, 0, limits).passes == 250
    assert grant_passes(few, 0, limits, is_asked=True).passes == 3 / 2 * 1_000
    assert grant_passes([outcome(PGD(TM))], 0, limits, is_asked=True).passes == 24_000


def test_nothing_is_begun_when_the_seconds_are_over(monkeypatch):
    clock = iter((0.0, 2.9, 3.1))
    monkeypatch.setattr(budget.time, "monotonic", lambda: next(clock))
    limited = Budget(Grant(1000, "", seconds=3))
    limited.spend(1)
    with pytest.raises(NotAfforded, match="the 3 seconds"):
        limited.spend(1)
    assert limited.spent == 1


def test_one_short_attack_gets_the_contract_and_the_report_says_so(tiny):
    model = tiny.linear(3)
    given = tiny.x, tiny.labels_of(model)
    found = {f.id: f for f in evaluate(model, given, PGD(TM, steps=3)).findings}
    assert "C15" not in found and "C1" in found and "C26" in found
    assert not found["C36"].made and "--checks=full" in found["C36"].text
    # Two attacks are no first look, but a quarter of their passes pays for next to nothing.
    two = {"pgd": PGD(TM, steps=3), "more": PGD(TM, steps=4)}
    found = {f.id: f for f in evaluate(model, given, two).findings}
    assert found["C36"].made and found["C36"].value <= found["C36"].threshold < 1000
    assert "All of them in full take at most" in found["C36"].text
    assert not found["C15"].made and "passes" in found["C15"].text


def test_the_model_is_traced_once_for_the_checks_before_and_beside(tiny):
    inner, calls = tiny.linear(3), []

    def model(x):
        calls.append(tf.executing_eagerly())
        return inner(x)

    y = tiny.labels_of(inner)
    traced = TracedModel(model, (4, 4, 1))
    check_contract(traced, tiny.x, y, TM, 3)
    # Logits and gradients, and once eagerly for C6.
    assert sorted(calls) == [False, False, True]
    served = [outcome(APGD(TM, TargetedDLR(), targets=2))]
    limits = read_limits({"C36": {"steps": 5}, "C15": {"samples": 3, "long_samples": 3}})
    check_behaviour(traced, tiny.x, y, TM, 3, limits, outcomes=served)
    # The main attack, that on the cross-entropy and LLR's: clean pass, step, and its gradient's trace.
    assert calls.count(True) == 1 and len(calls) - 3 <= 8


def test_long_attacks_of_the_suite_stand_for_those_of_the_checks(tiny):
    broken = NOBODY.copy()
    broken[:5] = True
    clean = ~NOBODY
    entropy, ratio = outcome(APGD(TM), broken), outcome(APGD(TM, DLR()))
    targeted = outcome(APGD(TM, TargetedDLR(), targets=2))
    black = outcome(RandomNoise(TM), clean)
    short = outcome(PGD(TM, DLR(), steps=4))
    for outcomes, seen in (
        ((entropy, black), (100, False, False)),
        ((entropy, ratio), (100, True, False)),
        ((entropy, targeted), (100, True, True)),
        ((entropy, short), (100, False, False)),
        ((short,), (4, False, False)),
        ((black,), (0, False, False)),
    ):
        standing = summarize_outcomes(clean, outcomes, steps=5)
        assert standing[1:] == seen
        np.testing.assert_array_equal(standing.robust, ~broken if entropy in outcomes else clean)
    runs = make_runs(tiny, standing=Standing(~broken, 100, True, True))
    for stands in (runs.on_ratio, runs.targeted, runs.many_steps):
        np.testing.assert_array_equal(stands, ~broken)
    assert runs.budget.spent == 0


def test_history_and_restarts_are_those_of_the_attack_itself(tiny):
    runs = make_runs(tiny)
    probe, history = runs.probe, runs.climb_history(3)
    spent = runs.budget.spent
    assert spent == runs.cost(runs._climb.attack) and history.shape == (11, 128)
    assert (np.diff(history, axis=0)[:, runs.climb().robust] >= 0).all()
    # Another road to its end: the attack that returns its best iterate.
    best = dataclasses.replace(runs._climb.attack, selection="best")
    found = runs.run(best).x
    robust = runs.climb().robust
    there = margin(probe.y, tf.constant(probe.logits(found))).numpy()
    assert 10 < robust.sum() < 120
    np.testing.assert_allclose(history[-1][robust], there[robust], rtol=1e-5, atol=1e-6)
    # A restart of those that are left gives each example what a restart of all gives it.
    left = runs.climb_again(3, robust)
    np.testing.assert_array_equal(left, robust & runs.climb(3).robust)


def draw_by_hand(runs, place, end):
    """Whether any of the first points of an example's ball is misclassified, one at a time."""
    seeds = noise.derive_seeds(0, "noise", runs.probe.ids[[place]])
    x, y = tf.constant(runs.probe.x[[place]]), runs.probe.y[place]
    for number in range(end):
        index = tf.constant([number])
        point = RandomNoise(TM).draw(x, TM.radius(), ExampleKeys(tf.constant(seeds)), index)
        if np.argmax(runs.probe.logits(point)[0]) != y:
            return True
    return False


def test_noise_does_not_depend_on_the_batch_and_says_what_it_could_not_afford(tiny, monkeypatch):
    whole, examples = noise.Noise(make_runs(tiny)), np.arange(128)
    assert whole(examples, 0, 30) == 30 and 0 < whole.broken.sum() < 60
    for place in (*np.flatnonzero(whole.broken)[:4], *np.flatnonzero(~whole.broken)[:4]):
        assert draw_by_hand(make_runs(tiny), place, 30) == whole.broken[place]
    monkeypatch.setattr(noise, "_MOST", 256)
    small = noise.Noise(make_runs(tiny))
    small(examples[:40], 0, 7)
    small(examples[:40], 7, 30)
    np.testing.assert_array_equal(small.broken[:40], whole.broken[:40])
    poor = noise.Noise(make_runs(tiny, budget=Budget(40 * 10)))
    reached = poor(examples[:40], 0, 30)
    assert 10 <= reached < 30 and poor.missing == (~poor.broken[:40]).sum() * (30 - reached)
    with pytest.raises(NotAfforded, match="more passes"):
        poor(examples[40:], 0, 30)
