"""APGD in L1: a linear model by closed form, ball and box, slots, devices and interruptions."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import APGD, PGD
from tfrobust.errors import UserError
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.losses import DLR, Margin, TargetedDLR
from tfrobust.threat_models import L1, L2, Linf

RNG = np.random.default_rng(0)
ROWS, SHAPE = 24, (6, 5, 1)
X = np.clip(RNG.uniform(-0.2, 1.2, size=(ROWS, *SHAPE)), 0, 1).astype("float32")
SEEDS = np.stack([np.arange(ROWS), np.full(ROWS, 7)], axis=1).astype("int32")
KERNEL = RNG.normal(size=(3, 3, 1, 6)).astype("float32")
DENSE = 0.5 * RNG.normal(size=(72, 4)).astype("float32")


def network(x):
    """A small convolutional network."""
    x = tf.nn.relu(tf.nn.conv2d(x - 0.5, KERNEL, 1, "VALID"))
    return tf.reshape(x, [-1, 72]) @ DENSE


Y = network(X).numpy().argmax(1).astype("int32")


def best_gain(x, slope, radius):
    """The most that <slope, .> rises in ball and box: pixels filled in the order of |slope|."""
    room = np.where(slope > 0, 1 - x, x).astype("float64")
    order, gain, left = np.argsort(-np.abs(slope)), 0.0, radius
    for i in order:
        length = min(room[i], left)
        gain, left = gain + length * abs(slope[i]), left - length
    return gain


@pytest.mark.parametrize("larger_radii", [False, True])
def test_a_linear_models_optimum_is_reached_within_a_hundredth(larger_radii):
    """The card's test; the optimum fills pixels to the box, where PGD's steps stay at a full one."""
    size = 768
    x = RNG.uniform(size=(12, 16, 16, 3)).astype("float32")
    slope, flat = RNG.normal(size=size).astype("float32"), x.reshape(12, size)
    # Right whatever is done, so that the search goes to its end.
    offset, y = np.float32(900.0), np.zeros(12, int)

    def model(x):
        score = tf.reshape(x, [-1, size]) @ slope[:, None]
        return tf.concat([tf.zeros_like(score) + offset, score], axis=1)

    best = np.array([best_gain(one, slope, 12.0) for one in flat])
    attack = APGD(L1(12), Margin(), steps=100, larger_radii=larger_radii)
    found = attack(model, x, y, seed=SEEDS[:12]).x.numpy().reshape(12, size)
    gain = (found.astype("float64") - flat) @ slope
    assert (gain >= 0.99 * best).all() and (gain <= best * (1 + 1e-5)).all()
    theirs = PGD(L1(12), Margin(), steps=100)(model, x, y, seed=SEEDS[:12]).x.numpy()
    assert ((theirs.reshape(12, size) - flat) @ slope).max() < 0.5 * best.min()


CE = APGD(L1(0.9), steps=15, restarts=2, larger_radii=True)


@pytest.fixture(scope="module")
def found():
    return CE(network, X, Y, seed=SEEDS).x.numpy()


def test_what_is_found_lies_in_ball_and_box(found):
    distance = np.abs(found.astype("float64") - X).sum((1, 2, 3))
    assert (distance <= 0.9 * (1 + 1e-6) + 1e-7).all() and found.min() >= 0 and found.max() <= 1
    broken = network(found).numpy().argmax(1) != Y
    assert 5 < broken.sum() < ROWS and (distance > 0.89).mean() > 0.8


def test_rows_slots_devices_and_interruptions_do_not_matter(found, two_replicas):
    broken = network(found).numpy().argmax(1) != Y
    mixed = np.random.default_rng(1).permutation(ROWS)[:9]
    part = CE(network, X[mixed], Y[mixed], seed=SEEDS[mixed]).x.numpy()
    np.testing.assert_allclose(part, found[mixed], atol=1e-6)
    work = Work(X, Y, network(X).numpy(), SEEDS)
    program = Program(network, CE, 7)
    results = [
        SlotSchedule(program, work, 4)(),
        SlotSchedule(Program(network, CE, 10, Devices(two_replicas)), work, 4)(),
    ]

    def interrupt(schedule):
        saved.append(schedule.snapshot())
        if len(saved) == 2:
            raise KeyboardInterrupt

    saved = []
    with pytest.raises(KeyboardInterrupt):
        SlotSchedule(program, work, 4)(interrupt)
    again = SlotSchedule(program, work, 4)
    again.restore(saved[-1])
    results.append(again())
    assert program.traces == 1
    for result in results:
        np.testing.assert_array_equal(result["broken"], broken)
        np.testing.assert_allclose(result["images"][broken], found[broken], atol=1e-6)
        np.testing.assert_array_equal(result["step"], results[0]["step"])
        # A start of each of three stages, and 15 steps.
        assert (result["forwards"][~broken] == 2 * CE.looks).all() and CE.looks == 18
        assert (result["backwards"] == result["forwards"]).all()


def test_only_the_last_stage_counts():
    """A model that is wrong outside the ball only, but for nobody inside it."""

    def model(x):
        distance = tf.reduce_sum(abs(x - X[:1]), axis=[1, 2, 3])[:, None]
        return tf.concat([tf.zeros_like(distance) + 1.3, distance], axis=1)

    attack = APGD(L1(0.9), steps=10, larger_radii=True)
    assert attack.stages == ((3, 3), (2, 3), (1, 4))
    result = attack(model, np.repeat(X[:1], 6, axis=0), np.zeros(6, int), seed=0)
    assert (result.survived.numpy() == 10).all()
    distance = np.abs(result.x.numpy().astype("float64") - X[:1]).sum((1, 2, 3))
    assert (distance <= 0.9 * (1 + 1e-6)).all()


def test_settings():
    assert APGD(L1(12)).looks == 101 and APGD(L1(12), larger_radii=True).looks == 103
    assert APGD(L1(12), steps=7, larger_radii=True).stages == ((3, 3), (2, 3), (1, 1))
    for threat_model in (Linf(0.1), L2(0.1)):
        with pytest.raises(UserError, match="is for L1"):
            APGD(threat_model, larger_radii=True)
    with pytest.raises(UserError, match="at least 5 steps"):
        APGD(L1(12), steps=4, larger_radii=True)
    with pytest.raises(UserError, match="`rho`"):
        APGD(L1(12), rho=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("objective", [DLR(), TargetedDLR()])
def test_other_losses_and_a_radius_of_zero(objective):
    targets = 3 if objective.needs_target else 0
    attack = APGD(L1(0.9), objective, steps=15, targets=targets, larger_radii=True)
    broken = network(attack(network, X, Y, seed=SEEDS).x).numpy().argmax(1) != Y
    assert 5 < broken.sum() < ROWS
    np.testing.assert_array_equal(attack(network, X, Y, seed=SEEDS, scale=0.0).x, X)
