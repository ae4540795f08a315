"""PGD row by row: the same iterates as its plain search, and what counts over iterates and runs."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Adam, Clean, Gaussian, Radial, Uniform
from tfrobust.attacks.case import Case
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.losses import CrossEntropy, LinearityError, Margin, TargetedDLR, ToClean
from tfrobust.losses.logit_objectives import LogitDifference
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.threat_models import L2, Linf

RNG = np.random.default_rng(0)
X = RNG.uniform(0.2, 0.8, size=(24, 4, 4, 1)).astype("float32")
FIRST = RNG.normal(size=(16, 12)).astype("float32")
SECOND = RNG.normal(size=(12, 5)).astype("float32")
SEEDS = np.stack([np.arange(24), np.full(24, 7)], axis=1).astype("int32")


def network(x):
    return tf.nn.softplus(tf.reshape(x - 0.5, [-1, 16]) @ FIRST) @ SECOND


LOGITS = network(X).numpy()
Y = LOGITS.argmax(axis=1).astype("int32")

PLAIN = {
    "sign": PGD(Linf(0.05), steps=4),
    "adam": PGD(
        Linf(0.05), Margin(), steps=5, step_size=0.02, stepper=Adam(milestones=(2,), factors=(0.1,))
    ),
    "kl": PGD(Linf(0.05), ToClean(), steps=3, start=Gaussian(0.001)),
    "l2": PGD(L2(0.2), steps=3, start=Radial()),
    "unclipped": PGD(Linf(0.05), steps=3, start=Uniform(clip=False), eot=2),
}


def case_of(attack, run=0, rows=slice(None), logits=LOGITS):
    keys = ExampleKeys(tf.constant(SEEDS[rows]))
    count = len(Y[rows])
    return Case(
        tf.constant(X[rows]),
        tf.constant(Y[rows]),
        tf.constant(logits[rows]),
        tf.fill([count], run),
        keys.fold_in(tf.fill([count], run)),
        tf.constant(attack.threat_model.radius(), tf.float32),
        keys,
    )


def is_wrong(x, model=network):
    return np.argmax(model(x), axis=1) != Y


def begun(attack, run=0):
    case = case_of(attack, run)
    return case, attack.begin(case)


def finished(attack, model=network, run=0):
    case, state = begun(attack, run)
    step = tf.function(lambda s: attack.step(model, case, s), autograph=False)
    while not state["done"].numpy().all():
        state = step(state)
    return {name: value.numpy() for name, value in state.items()}


@pytest.mark.parametrize("attack", PLAIN.values(), ids=PLAIN)
def test_the_first_run_is_the_plain_search(attack):
    plain = attack(network, X, Y, seed=SEEDS).x.numpy()
    end = finished(attack)
    np.testing.assert_allclose(end["best"], plain, atol=1e-6)
    np.testing.assert_array_equal(end["broken"], is_wrong(plain))
    again = dataclasses.replace(attack, restarts=2)(network, X, Y, seed=SEEDS).x.numpy()
    stays = is_wrong(plain)
    np.testing.assert_allclose(again[stays], plain[stays], atol=1e-6)
    assert is_wrong(again).sum() >= stays.sum() > 0 or attack is PLAIN["kl"]


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize(
    "attack",
    [
        dataclasses.replace(PLAIN["adam"], restarts=3, selection="any"),
        PGD(L2(0.1), LogitDifference(), steps=3, targets="all", selection="best"),
        PGD(Linf(0.02), steps=3, step_noise=0.01, restarts=2),
    ],
    ids=["any", "best", "noise"],
)
def test_rows_with_counters_of_their_own_find_the_same(attack, rows):
    """Rows that are exchanged while others go on, against all rows in step."""
    found = attack(network, X, Y, seed=SEEDS).x.numpy()
    result = SlotSchedule(Program(network, attack, rows), Work(X, Y, LOGITS, SEEDS), 5)()
    broken = is_wrong(found)
    np.testing.assert_array_equal(result["broken"], broken)
    # Products of matrices are rounded by the size of the batch.
    np.testing.assert_allclose(result["images"][broken], found[broken], atol=1e-6)
    assert 0 < broken.sum() < 24


@pytest.mark.parametrize("attack", [PLAIN["adam"], PLAIN["l2"]], ids=["adam", "l2"])
def test_a_step_is_the_same_under_xla(attack):
    attack = dataclasses.replace(attack, selection="any")
    case, state = begun(attack)
    compiled = tf.function(
        lambda s: attack.step(network, case, s), autograph=False, jit_compile=True
    )
    other = state
    for _ in range(attack.steps + 1):
        state, other = attack.step(network, case, state), compiled(other)
    for name, value in state.items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(other[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(other[name], value, err_msg=name)


def unbreakable(x):
    return 100.0 * tf.one_hot(Y, 5) + 1e-3 * network(x)


@pytest.mark.parametrize("selection", ["last", "any", "best"])
def test_passes_of_an_example_that_nothing_breaks(selection):
    attack = PGD(Linf(0.05), steps=6, selection=selection)
    end = finished(attack, unbreakable)
    assert set(end["forwards"]) == {7} and set(end["backwards"]) == set(end["index"]) == {6}
    averaged = finished(dataclasses.replace(attack, eot=3), unbreakable)
    # The last iterate is judged by as many passes as every other one.
    assert set(averaged["forwards"]) == {21} and set(averaged["backwards"]) == {18}


def test_passes_of_an_example_that_is_broken_end_with_it():
    attack = PGD(Linf(0.05), steps=6, start=Clean(), selection="any")
    end = finished(attack)
    broken = end["broken"]
    assert 0 < broken.sum() < 24
    np.testing.assert_array_equal(end["forwards"], end["index"] + 1)
    np.testing.assert_array_equal(end["backwards"], end["index"])
    assert (end["index"][~broken] == 6).all() and (end["index"][broken] < 6).any()


def one_pixel(score):
    """A binary classifier of one pixel; label 1 where `score` is positive."""

    def model(x):
        value = score(tf.reshape(x, [-1]))
        return tf.stack([tf.zeros_like(value), value], axis=1)

    return model


PIXEL = np.full((1, 1, 1, 1), 0.5, "float32")


def test_what_is_passed_on_the_way_is_found_by_any_and_missed_by_last():
    """Zoo Z18: s = x - 0.2 falls towards 0.3, is positive there, and negative near 0.4 only."""
    model = one_pixel(lambda x: x - 0.2 - 2.0 * tf.cast(abs(x - 0.4) < 0.01, tf.float32))
    attack = PGD(Linf(0.2), Margin(), steps=4, step_size=0.05, start=Clean())
    assert attack(model, PIXEL, [1], seed=0).x.numpy().item() == pytest.approx(0.3)
    anywhere = dataclasses.replace(attack, selection="any")(model, PIXEL, [1], seed=0)
    assert anywhere.x.numpy().item() == pytest.approx(0.4)
    # After two steps; the start and the first iterate were right.
    assert anywhere.survived.numpy().tolist() == [2]
    best = dataclasses.replace(attack, selection="best")(model, PIXEL, [1], seed=0)
    assert best.x.numpy().item() == pytest.approx(0.4)
    work = Work(PIXEL, np.ones(1, "int32"), model(PIXEL).numpy(), SEEDS[:1])
    for selection, breaks in (("last", False), ("any", True), ("best", True)):
        rule = dataclasses.replace(attack, selection=selection)
        assert SlotSchedule(Program(model, rule, 1), work, 2)()["broken"].tolist() == [breaks]


def test_an_image_that_is_wrong_at_the_start_is_found_without_a_step():
    """Also beside one that goes on for three runs of two steps each."""
    model = one_pixel(lambda x: x - 0.2)
    attack = PGD(
        Linf(0.1), Margin(), steps=2, start=Clean(), selection="any", restarts=3, step_size=0.01
    )
    images = np.array([0.1, 0.9], "float32").reshape(2, 1, 1, 1)
    found = attack(model, images, [1, 1], seed=0)
    np.testing.assert_array_equal(found.x[0], images[0])
    assert found.survived.numpy().tolist() == [0, 6]


def test_the_start_itself_counts_with_any_and_is_in_the_set():
    model = one_pixel(lambda x: 0.5 - tf.cast(x > 0.5, tf.float32) + 1e-3 * x)
    attack = PGD(Linf(0.3), Margin(), steps=1, step_size=0.0, selection="any", restarts=20)
    assert attack(model, PIXEL, [1], seed=0).x.numpy().item() > 0.5
    outside = dataclasses.replace(attack, start=Uniform(clip=False), threat_model=Linf(1.0))
    bright = outside(
        one_pixel(lambda x: 1.0 - 2.0 * tf.cast(x > 1.0, x.dtype) * x), PIXEL, [1], seed=0
    )
    assert 0.0 <= bright.x.numpy().item() <= 1.0


def table(x):
    """Ten classes, nearly flat. Below 1/2 the label 0 loses with loss 0.8, above it wins with 1.2."""
    right = tf.reshape(x, [-1, 1]) >= 0.5
    loses = np.full(10, -20.0, "float32")
    loses[:2] = np.log([np.exp(-0.8), 1 - np.exp(-0.8)])
    wins = np.log(np.full(10, (1 - np.exp(-1.2)) / 9)).astype("float32")
    wins[0] = -1.2
    return tf.where(right, wins, loses) + 1e-6 * tf.reshape(x, [-1, 1]) * tf.range(10.0)


@pytest.mark.parametrize("selection", ["last", "any", "best"])
def test_restarts_keep_a_success_whose_loss_is_smaller(selection):
    """Zoo Z17: several codes keep the start with the largest cross-entropy, which is a failure here."""
    attack = PGD(Linf(0.4), steps=1, step_size=0.0, restarts=12, selection=selection)
    for seed in range(4):
        found = attack(table, PIXEL, [0], seed=seed).x
        assert np.argmax(table(found)) != 0
    # Where every run fails, the largest loss stands for the example.
    one = PGD(Linf(0.4), steps=1, step_size=0.0, restarts=12, selection=selection)

    def rising(x):
        return one_pixel(lambda value: 5.0 - value)(x)

    keys = np.array([[1, 2]], "int32")
    runs = [
        one.start(one.threat_model, PIXEL, 0.4, ExampleKeys(keys).fold_in(r)) for r in range(12)
    ]
    found = one(rising, PIXEL, [1], seed=keys).x.numpy().item()
    assert found == pytest.approx(np.max(runs))


def test_two_basins_need_restarts():
    """Zoo Z19: two valleys, at 0.1 and 0.9, of which the first alone is deep enough; a ridge at 0.6."""
    count, runs = 400, 6
    x = np.full((count, 1, 1, 1), 0.5, "float32")
    y = np.ones(count, "int32")
    seeds = np.stack([np.arange(count), np.zeros(count)], axis=1).astype("int32")
    model = one_pixel(lambda v: tf.minimum(abs(v - 0.1) - 0.1, abs(v - 0.9) + 0.1))
    attack = PGD(Linf(0.4), Margin(), steps=20, step_size=0.05, restarts=runs, selection="any")
    work = Work(x, y, model(x).numpy(), seeds)
    result = SlotSchedule(Program(model, attack, 64), work, 2)()
    standing = [np.mean(~result["broken"] | (result["broken_run"] > run)) for run in range(runs)]
    # Starts are uniform in [0.1, 0.9]; from those below the ridge the deep valley is reached.
    hit = (0.6 - 0.1) / 0.8
    expected = (1.0 - hit) ** np.arange(1, runs + 1)
    deviation = np.sqrt(expected * (1 - expected) / count)
    assert (np.abs(standing - expected) <= 4 * deviation + 1 / count).all()


def test_more_steps_and_more_restarts_never_break_less():
    def broken(**options):
        attack = PGD(Linf(0.03), step_size=0.005, selection="any", **options)
        return is_wrong(attack(network, X, Y, seed=SEEDS).x)

    few = broken(steps=3)
    assert (broken(steps=6) >= few).all() and (broken(steps=3, restarts=3) >= few).all()


def test_every_class_in_turn_or_one_at_random():
    attack = PGD(Linf(0.05), LogitDifference(), steps=2, targets="all", restarts=2)
    assert attack.runs(5) == 8 and dataclasses.replace(attack, targets=9).runs(5) == 8
    assert dataclasses.replace(attack, targets="random").runs(5) == 2
    aimed = [attack.begin(case_of(attack, run))["target"].numpy() for run in range(8)]
    for row in range(24):
        expected = [c for c in range(5) if c != Y[row]]
        assert [int(target[row]) for target in aimed] == list(np.repeat(expected, 2))
    ranked = dataclasses.replace(attack, targets=2)
    second = ranked.begin(case_of(ranked, 2))["target"].numpy()
    np.testing.assert_array_equal(second, np.argsort(-LOGITS, axis=1)[:, 2])


def test_a_random_class_is_never_the_label_uniform_and_the_same_in_all_runs():
    attack = PGD(Linf(0.05), LogitDifference(), steps=2, targets="random", restarts=2)
    y = np.arange(4000, dtype="int32") % 5
    keys = ExampleKeys(tf.constant(np.stack([np.arange(4000), y], axis=1).astype("int32")))

    def targets(run):
        rows = tf.fill([4000], run)
        x = tf.zeros([4000, 1, 1, 1])
        case = Case(x, tf.constant(y), tf.zeros([4000, 5]), rows, keys.fold_in(rows), 0.1, keys)
        return attack.begin(case)["target"].numpy()

    first = targets(0)
    np.testing.assert_array_equal(targets(1), first)
    jumps = np.bincount((first - y) % 5, minlength=5)
    assert jumps[0] == 0 and (np.abs(jumps[1:] - 1000) < 4 * np.sqrt(4000 * 0.25 * 0.75)).all()


def test_reaching_the_target_is_harder_than_any_mistake():
    options = {"steps": 4, "targets": "random", "selection": "any"}
    attack = PGD(Linf(0.05), LogitDifference(), success="target", **options)
    end = finished(attack)
    reached = network(end["adversarial"]).numpy()
    rows = np.flatnonzero(end["broken"])
    assert (reached[rows, end["target"][rows]] > reached[rows, Y[rows]]).all()
    wrong = finished(dataclasses.replace(attack, success="wrong"))["broken"]
    assert (wrong >= end["broken"]).all() and wrong.sum() > end["broken"].sum() > 0


def test_gradients_are_averaged():
    """A model that answers with x, then with -3 x, at its first and second call: the mean falls."""
    calls = []

    def model(x):
        calls.append(0)
        return one_pixel(lambda v: (1.0 if len(calls) % 2 else -3.0) * v + 3.0)(x)

    attack = PGD(Linf(0.2), Margin(), steps=1, step_size=0.1, start=Clean(), eot=2)
    # Label 1: the margin is -s, and its mean slope is (-1 + 3) / 2.
    np.testing.assert_allclose(attack(model, PIXEL, [1], seed=0).x, 0.6, rtol=1e-6)
    # One look at the door, and two passes of the step.
    assert len(calls) == 3


def test_refusals():
    for wrong in ({"objective": TargetedDLR()}, {"targets": 2}, {"targets": "most"}):
        with pytest.raises(UserError, match="`targets`"):
            PGD(Linf(0.1), **wrong)
    for wrong in ({"selection": "first"}, {"success": "yes"}):
        with pytest.raises(UserError, match="must be one of"):
            PGD(Linf(0.1), **wrong)
    with pytest.raises(UserError, match="give `targets`"):
        PGD(Linf(0.1), success="target")
    with pytest.raises(UserError, match="for training"):
        PGD(Linf(0.1), keep=(1,), restarts=2)
    linear = PGD(Linf(0.1), LinearityError(), selection="any")
    with pytest.raises(UserError, match="more of the clean image than its logits"):
        linear(network, X, Y, seed=0)
    assert CrossEntropy().reference_from(LOGITS) is None
    assert ToClean().reference_from(LOGITS) is LOGITS
