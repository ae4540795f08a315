"""Attacks of one's own: a search of a whole batch, and the keys of rows that are out of step."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Attack, IterativeAttack, Perturbation, RandomNoise, Uniform
from tfrobust.errors import UserError
from tfrobust.evaluation import evaluate
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.engine.seeds import derive_seeds
from tfrobust.evaluation.reports.summary import summarize_evaluation
from tfrobust.evaluation.subject import Subject
from tfrobust.ops.random.keys import BatchKeys, ExampleKeys, seed_pair
from tfrobust.threat_models import L2, Linf

RNG = np.random.default_rng(0)
X = RNG.random((12, 4, 4, 1)).astype("float32")
KERNEL = RNG.normal(size=(16, 3)).astype("float32")
Y = np.argmax(X.reshape(12, -1) @ KERNEL, axis=1).astype("int32")


def linear(x):
    return tf.reshape(x, [-1, 16]) @ KERNEL


@dataclasses.dataclass(frozen=True)
class UpperHalf(Attack):
    """Another attack's perturbation in the first rows of pixels only."""

    inner: Attack

    @property
    def threat_model(self):
        return self.inner.threat_model

    def search(self, model, x, y, keys, scale, epoch):
        found = self.inner.search(model, x, y, keys, scale, epoch)
        rows = tf.range(x.shape[1])[:, None, None]
        return found._replace(x=tf.where(rows < x.shape[1] // 2, found.x, x))


ATTACK = UpperHalf(PGD(Linf(0.25), steps=3))


def attacked(attack, **options):
    evaluator = Evaluator(Subject.of(linear), [("upper", attack)], **options)
    predictions, outcomes, images = evaluator(X, Y, np.arange(12))
    return outcomes[0], images


def test_a_search_of_whole_batches_is_evaluated():
    """What it breaks is what a call with the same seeds breaks; each is a row of any number of slots."""
    outcome, images = attacked(ATTACK)
    evaluator = Evaluator(Subject.of(linear), [("upper", ATTACK)])
    found = ATTACK(
        linear, X, Y, seed=tf.constant(derive_seeds(evaluator.seed, "upper", np.arange(12)))
    ).x
    broken = np.argmax(linear(found), axis=1) != Y
    assert 0 < broken.sum() < 12
    np.testing.assert_array_equal(outcome.broken, broken)
    np.testing.assert_array_equal(images[broken], found.numpy()[broken])
    np.testing.assert_array_equal(images[:, 2:], X[:, 2:])
    for slots in (5, 12):
        again, same = attacked(ATTACK, slots=slots)
        np.testing.assert_array_equal(again.broken, broken)
        np.testing.assert_array_equal(same, images)
    assert outcome.step[broken].tolist() == [1] * broken.sum()


def test_what_was_not_counted_is_not_reported():
    """A search of one's own counts no passes: reports leave them out, and say whose."""
    suite = [("upper", ATTACK), ("pgd", ATTACK.inner)]
    report = summarize_evaluation(evaluate(linear, (X, Y), suite, checks="none"))["tfrobust"]
    upper, pgd = report["attacks"]
    assert upper["passes"] == dict.fromkeys(upper["passes"]) and upper["padding"] is None
    assert pgd["passes"]["theory_where_not_broken"] == [4, 3]
    assert report["costs"]["uncounted"] == ["upper"]
    assert report["costs"]["autoattack_equivalents"] is None
    assert report["costs"]["needed"] == [sum(o) for o in zip(pgd_needed(report), strict=True)]
    assert "upper" not in report["curves"]["step"] and "pgd" not in report["curves"]["step"]


def pgd_needed(report):
    passes = report["attacks"][1]
    return [round(n * passes["attempted"]) for n in passes["passes"]["needed"]]


@dataclasses.dataclass(frozen=True)
class Wrong(Attack):
    threat_model: Linf
    result: str

    def search(self, model, x, y, keys, scale, epoch):
        return {"tensor": x, "shape": Perturbation(x[..., 0], y)}[self.result]


@pytest.mark.parametrize("result", ["tensor", "shape"])
def test_a_search_that_returns_something_else_is_named(result):
    attack = Wrong(Linf(0.1), result)
    for run in (lambda: attack(linear, X, Y, seed=0), lambda: attacked(attack)):
        with pytest.raises(UserError, match="Wrong.search must return a Perturbation"):
            run()


@pytest.mark.parametrize("base", [Attack, IterativeAttack])
def test_an_attack_without_a_search_is_named(base):
    class Nothing(base):
        threat_model = Linf(0.1)

    with pytest.raises(NotImplementedError, match="Nothing"):
        Nothing()(linear, X, Y, seed=0)


def test_one_call_draws_in_step_and_out_of_step():
    """Numbers of one row depend on its own counter only, with keys of a batch and of examples."""
    seeds = RNG.integers(-(2**31), 2**31, (6, 2)).astype("int32")
    for keys in (BatchKeys(seed_pair(3)), ExampleKeys(tf.constant(seeds))):
        steps = tf.constant([0, 4, 1, 1, 0, 7])
        drawn = keys.fold_in(steps).uniform([6, 4, 4, 1]).numpy()
        for step in np.unique(steps):
            rows = steps.numpy() == step
            alike = keys.fold_in(tf.fill([6], step)).uniform([6, 4, 4, 1]).numpy()
            np.testing.assert_array_equal(drawn[rows], alike[rows])
        assert len(np.unique(drawn)) == drawn.size
    scalar = BatchKeys(seed_pair(3)).fold_in(2)
    assert isinstance(scalar, BatchKeys)


def test_rows_on_two_replicas_draw_what_one_device_draws():
    whole = BatchKeys(seed_pair(5)).fold_in(tf.range(6)).normal([6, 2])
    second = BatchKeys(seed_pair(5), tf.constant(4)).fold_in(tf.range(4, 6)).normal([2, 2])
    np.testing.assert_array_equal(whole[4:], second)


@dataclasses.dataclass(frozen=True)
class Guess(IterativeAttack):
    """Draws by the row's step counter, the call that its docstring gives."""

    threat_model: Linf | L2
    steps: int = 4

    def begin(self, case):
        from tfrobust.attacks import make_state

        return {**make_state(case), "best": case.x}

    def advance(self, forward, case, state):
        from tfrobust.attacks import record_success
        from tfrobust.ops.logits import correct

        keys = case.keys.fold_in(state["index"])
        point = Uniform()(self.threat_model, case.x, case.radius, keys)
        catch = record_success(state, point, ~correct(case.y, forward(point)))
        index = state["index"] + 1
        return {
            **state,
            **catch,
            "index": index,
            "done": catch["broken"] | (index >= self.steps),
            "forwards": state["forwards"] + 1,
        }


@pytest.mark.parametrize("attack", [Guess(Linf(0.4)), RandomNoise(Linf(0.4), 6)], ids=repr)
def test_noise_by_step_counter_in_training_and_in_slots(attack):
    seeds = tf.constant(RNG.integers(0, 2**31, (12, 2)).astype("int32"))
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    y = np.argmax(model(X), axis=1)
    for seed in (7, seeds):
        found = attack(model, X, y, seed=seed).x.numpy()
        assert np.abs(found - X).max() <= 0.4 + 1e-6
        assert (np.argmax(model(found), axis=1) != y).any()
    # By seeds of its own an example is the same in any batch.
    again = attack(model, X[3:5], y[3:5], seed=seeds[3:5]).x.numpy()
    np.testing.assert_array_equal(again, found[3:5])
