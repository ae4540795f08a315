"""Suites on one classifier: unions, order, batches, interruption, shards, several devices, hard labels."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import PGD, Linf
from tfrobust.attacks import APGD, Clean
from tfrobust.attacks.case import make_state
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.errors import Interrupted, UserError
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.engine.journal import Journal
from tfrobust.evaluation.engine.scheduling import slots as slots_module
from tfrobust.evaluation.engine.scheduling.pool import balance_rows
from tfrobust.evaluation.engine.shards import Shards
from tfrobust.evaluation.examples import Examples
from tfrobust.evaluation.subject import Subject
from tfrobust.losses import DLR

IDS = np.arange(60) * 3 + 7
CE = ("apgd-ce", APGD(Linf(0.015), steps=5))
RATIO = ("apgd-dlr", APGD(Linf(0.015), DLR(), steps=7))
STEP = ("fgsm", PGD(Linf(0.015), steps=1, relative_step_size=1.0, start=Clean(), selection="any"))
ATTACKS = (STEP, CE, RATIO)


def flags(outcomes):
    return [outcome.broken.tolist() for outcome in outcomes]


@pytest.fixture(scope="module")
def whole(small):
    """The evaluator of three attacks, and its result on all examples."""
    network, images, labels = small
    evaluator = Evaluator(Subject.of(network), ATTACKS)
    return evaluator, evaluator(images, labels, IDS)


def test_only_survivors_are_attacked_and_everything_adds_up(whole, small):
    network, images, labels = small
    _, (predictions, outcomes, adversarial) = whole
    np.testing.assert_array_equal(predictions, np.argmax(network(images), axis=1))
    standing = predictions == labels
    assert standing.sum() == 54
    for outcome in outcomes:
        np.testing.assert_array_equal(outcome.attempted, standing)
        assert not (outcome.broken & ~standing).any() and not outcome.rejected.any()
        standing = standing & ~outcome.broken
    assert 0 < standing.sum() < 54
    wrong = np.argmax(network(adversarial), axis=1) != labels
    np.testing.assert_array_equal(wrong, ~standing)
    assert np.abs(adversarial - images).max() <= 0.015 * (1 + 1e-6) + 1e-7


def test_order_batch_and_company_do_not_matter(whole, small):
    network, images, labels = small
    _, (_, outcomes, adversarial) = whole
    mixed = np.random.default_rng(1).permutation(60)[:41]
    evaluator = Evaluator(Subject.of(network), ATTACKS, slots=6)
    _, others, images_found = evaluator(images[mixed], labels[mixed], IDS[mixed])
    for outcome, other in zip(outcomes, others, strict=True):
        np.testing.assert_array_equal(other.broken, outcome.broken[mixed])
        np.testing.assert_array_equal(other.step, outcome.step[mixed])
    np.testing.assert_array_equal(images_found, adversarial[mixed])


def test_slots_are_a_most(whole, small):
    network, images, labels = small
    _, (_, outcomes, _) = whole
    wide = Evaluator(Subject.of(network), ATTACKS, slots=512)
    # As many rows as examples: those that are computed are those of a batch of 54, not of 512.
    assert [o.passes for o in wide(images, labels, IDS)[1]] == [o.passes for o in outcomes]
    # Two waves of 27, not one of 50 and one of 4.
    assert [balance_rows(n, 50) for n in (54, 50, 3)] == [27, 50, 3]


def test_one_by_one_every_attack_gets_all_and_the_union_is_the_same(whole, small):
    network, images, labels = small
    _, (predictions, outcomes, _) = whole
    alone = Evaluator(Subject.of(network), ATTACKS, individual=True)
    _, others, _ = alone(images, labels, IDS)
    right = predictions == labels
    union = np.zeros(60, bool)
    for outcome, other in zip(outcomes, others, strict=True):
        np.testing.assert_array_equal(other.attempted, right)
        np.testing.assert_array_equal(outcome.broken, other.broken & ~union)
        union |= other.broken


def test_an_attack_more_never_raises_accuracy_and_a_call_more_traces_nothing(whole, small):
    evaluator, (_, outcomes, _) = whole
    _, images, labels = small
    left = [60 - 6]
    for outcome in outcomes:
        left.append(left[-1] - outcome.broken.sum())
    assert left == sorted(left, reverse=True)
    _, again, _ = evaluator(images, labels, IDS)
    assert flags(again) == flags(outcomes)
    assert [outcome.traces for outcome in again] == [0, 0, 0]
    assert [outcome.traces for outcome in outcomes] == [1, 1, 1]


def test_a_radius_of_zero_leaves_clean_accuracy(small):
    network, images, labels = small
    nothing = [(name, dataclasses.replace(a, threat_model=Linf(0.0))) for name, a in ATTACKS]
    _, outcomes, adversarial = Evaluator(Subject.of(network), nothing)(images, labels, IDS)
    assert not any(outcome.broken.any() for outcome in outcomes)
    np.testing.assert_array_equal(adversarial, images)


def journal(folder, **options):
    return Journal(folder, {"suite": "a", "examples": "all"}, IDS, **options)


@pytest.mark.parametrize("looks", [1, 2, 4, 5])
def test_what_is_stopped_anywhere_goes_on_to_the_same_flags(whole, small, tmp_path, looks):
    evaluator, (_, outcomes, adversarial) = whole
    _, images, labels = small
    evaluator = Evaluator(Subject.of(small[0]), ATTACKS, slots=5)
    calls = []

    def stop():
        calls.append(0)
        return len(calls) >= looks

    with pytest.raises(Interrupted):
        evaluator(images, labels, IDS, journal(tmp_path), stop=stop)
    resumed = evaluator(images, labels, IDS, journal(tmp_path, resume="must"))
    assert flags(resumed[1]) == flags(outcomes)
    np.testing.assert_array_equal(resumed[2], adversarial)
    for outcome, other in zip(resumed[1], outcomes, strict=True):
        np.testing.assert_array_equal(outcome.forwards, other.forwards)
    # A finished evaluation runs nothing.
    finished = evaluator(images, labels, IDS, journal(tmp_path), stop=lambda: True)
    assert flags(finished[1]) == flags(outcomes)
    np.testing.assert_array_equal(finished[2], adversarial)


@pytest.mark.parametrize("slots", [2, 13])
def test_it_goes_on_with_another_number_of_slots(whole, small, tmp_path, slots, monkeypatch):
    """Killed with five slots of which some are busy, resumed with others, killed again, resumed with five."""
    _, (_, outcomes, adversarial) = whole
    network, images, labels = small
    given, busy = (images, labels, IDS), []
    # A look after every step, so that runs are under way.
    monkeypatch.setattr(slots_module, "LOOK", 1e-9)
    for number, looks in ((5, 23), (slots, 1)):
        evaluator = Evaluator(Subject.of(network), ATTACKS, slots=number)
        answers = iter([False] * looks + [True])
        with pytest.raises(Interrupted):
            evaluator(*given, journal(tmp_path), stop=functools.partial(next, answers))
        busy.append(int((journal(tmp_path).current()["host/example"] >= 0).sum()))
    assert 2 < busy[0] and 0 < busy[1]
    last = Evaluator(Subject.of(network), ATTACKS, slots=5)
    found = last(*given, journal(tmp_path, resume="must"))
    assert flags(found[1]) == flags(outcomes)
    np.testing.assert_array_equal(found[2], adversarial)
    for outcome, other in zip(found[1], outcomes, strict=True):
        np.testing.assert_array_equal(outcome.forwards, other.forwards)
        np.testing.assert_array_equal(outcome.step, other.step)


def test_a_journal_of_something_else_is_refused(whole, small, tmp_path):
    evaluator, _ = whole
    _, images, labels = small
    with pytest.raises(UserError, match="no evaluation"):
        journal(tmp_path, resume="must")
    evaluator(images, labels, IDS, journal(tmp_path))
    with pytest.raises(UserError, match="already"):
        journal(tmp_path, resume="never")
    with pytest.raises(UserError, match="suite: 'a' there, 'b' now"):
        Journal(tmp_path, {"suite": "b", "examples": "all"}, IDS)
    with pytest.raises(UserError, match="resume"):
        journal(tmp_path, resume="perhaps")


def test_shards_make_the_evaluation_of_one_process(whole, small, tmp_path):
    evaluator, (predictions, outcomes, adversarial) = whole
    _, images, labels = small
    examples = Examples.of(images, labels, IDS)
    folders = []
    for index in range(3):
        part = examples.shard(index, 3)
        folders.append(tmp_path / str(index))
        kept = Journal(folders[-1], {"suite": "a", "examples": str(index)}, part.ids)
        evaluator(part.x, part.y, part.ids, kept)
    named = {"suite": "a", "examples": "all"}
    shards = Shards([folders[2], folders[0], folders[1]], named, IDS, ATTACKS)
    merged = evaluator(images, labels, IDS, shards)
    np.testing.assert_array_equal(merged[0], predictions)
    np.testing.assert_array_equal(merged[2], adversarial)
    for outcome, other in zip(merged[1], outcomes, strict=True):
        for name in ("attempted", "broken", "rejected", "run", "step", "forwards", "backwards"):
            np.testing.assert_array_equal(getattr(outcome, name), getattr(other, name))
    with pytest.raises(UserError, match="every shard once"):
        Shards(folders[:2], named, IDS, ATTACKS)
    with pytest.raises(UserError, match="every shard once"):
        Shards([*folders, folders[0]], named, IDS, ATTACKS)
    with pytest.raises(UserError, match="another evaluation"):
        Shards(folders, {"suite": "b", "examples": "all"}, IDS, ATTACKS)
    with pytest.raises(UserError, match="finished 3 of 4"):
        Shards(folders, named, IDS, (*ATTACKS, CE))
    with pytest.raises(UserError, match="no evaluation"):
        Shards([tmp_path / "nowhere"], named, IDS, ATTACKS)


def test_two_devices_give_the_same_flags(whole, small, two_replicas):
    network, images, labels = small
    _, (_, outcomes, _) = whole
    evaluator = Evaluator(Subject.of(network), ATTACKS, devices=Devices(two_replicas))
    assert flags(evaluator(images, labels, IDS)[1]) == flags(outcomes)


@pytest.mark.parametrize("fault", ["outside the ball", "outside the box", "not finite", "right"])
def test_what_does_not_stand_a_second_look_is_not_counted(small, fault):
    network, images, labels = small

    class Liar(IterativeAttack):
        """Says that it has broken everything."""

        threat_model = Linf(0.1)

        def begin(self, case):
            return {**make_state(case), "best": case.x}

        def advance(self, forward, case, state):
            x = {
                "outside the ball": case.x + 0.11,
                "outside the box": case.x * 0.0 - 0.01,
                "not finite": case.x + np.nan,
                "right": case.x,
            }[fault]
            everyone = tf.ones_like(state["done"])
            return {**state, "broken": everyone, "done": everyone, "adversarial": x}

    evaluator = Evaluator(Subject.of(network), [("liar", Liar())])
    predictions, (outcome,), adversarial = evaluator(images, labels, IDS)
    assert not outcome.broken.any()
    np.testing.assert_array_equal(outcome.rejected, predictions == labels)
    np.testing.assert_array_equal(adversarial, images)


def test_attacks_that_a_subject_cannot_bear_are_refused(small):
    network, _, _ = small
    scores = Subject.of_numpy(lambda x: network(x).numpy(), 5)
    with pytest.raises(UserError, match="needs gradients"):
        Evaluator(scores, [CE])
    labels = Subject.of_numpy(lambda x: network(x).numpy().argmax(axis=1), 5, labels_only=True)
    np.testing.assert_array_equal(
        Evaluator(labels, []).logits(small[1]).argmax(axis=1), network(small[1]).numpy().argmax(1)
    )
    with pytest.raises(UserError, match="different names"):
        Evaluator(Subject.of(network), [CE, CE])
    with pytest.raises(UserError, match="slots"):
        Evaluator(Subject.of(network), [CE], slots=0)
