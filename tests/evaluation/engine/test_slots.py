"""Slots change nothing: the same bits for any number of them, one trace, every step counted."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import Linf
from tfrobust.attacks import APGD
from tfrobust.evaluation.engine.devices import Devices
from tfrobust.evaluation.engine.program import Program
from tfrobust.evaluation.engine.slots import SlotSchedule, Work
from tfrobust.losses import TargetedDLR

ATTACKS = {
    "untargeted": APGD(Linf(0.02), steps=8, restarts=2),
    "targeted": APGD(Linf(0.02), TargetedDLR(), steps=8, targets=4),
}


def work(images, labels, network):
    logits = network(images).numpy()
    right = logits.argmax(axis=1) == labels
    seeds = np.stack([np.arange(60), np.full(60, 3)], axis=1).astype("int32")
    return Work(images[right], labels[right].astype("int32"), logits[right], seeds[right])


@pytest.fixture(scope="module", params=ATTACKS)
def plain(request, small):
    """An attack, its work, and what a plain call of it finds."""
    network, images, labels = small
    attack, given = ATTACKS[request.param], work(images, labels, network)
    found = attack(network, given.x, given.y, seed=given.seeds).x.numpy()
    return attack, given, found, np.argmax(network(found).numpy(), axis=1) != given.y


@pytest.mark.parametrize("rows", [1, 7, 54, 100])
def test_slots_find_what_a_plain_call_finds_to_the_last_bit(plain, small, rows):
    attack, given, found, broken = plain
    program = Program(small[0], attack, rows)
    result = SlotSchedule(program, given, 5)()
    np.testing.assert_array_equal(result["broken"], broken)
    np.testing.assert_array_equal(result["images"][broken], found[broken])
    np.testing.assert_array_equal(result["images"][~broken], given.x[~broken])
    assert 0 < broken.sum() < len(broken)
    assert program.traces == 1
    # Another call, with other data, traces nothing.
    SlotSchedule(program, Work(*(array[:9] for array in vars(given).values())), 5, scale=0.5)()
    assert program.traces == 1


def test_passes_are_counted_as_the_formula_has_them(plain, small):
    attack, given, _, broken = plain
    result = SlotSchedule(Program(small[0], attack, 7), given, 5)()
    runs = attack.runs(5)
    assert (result["forwards"][~broken] == runs * (attack.steps + 1)).all()
    assert (result["backwards"] == result["forwards"]).all()
    working, steps, forwards, backwards = result["counts"]
    assert steps == forwards == backwards >= working >= result["forwards"].sum()
    assert (result["broken_run"][broken] >= 0).all() and (result["step"][broken] >= 0).all()
    assert (result["broken_run"][~broken] == -1).all() and (result["step"][~broken] == -1).all()


def test_slots_stay_busy(small):
    """An attack that breaks nothing and fills its slots three times is busy all the time."""
    network, images, labels = small

    def unbreakable(x):
        return 100.0 * tf.one_hot(tf.zeros(tf.shape(x)[:1], tf.int32), 5) + 1e-3 * network(x)

    zeros = np.zeros(60, "int32")
    given = Work(images, zeros, unbreakable(images).numpy(), np.zeros((60, 2), "int32"))
    result = SlotSchedule(Program(unbreakable, ATTACKS["untargeted"], 40), given, 5)()
    assert not result["broken"].any()
    assert result["counts"][0] == result["counts"][1] == 60 * 2 * 9


def test_what_is_interrupted_goes_on_to_the_same_bits(plain, small):
    attack, given, found, broken = plain

    class Enough(Exception):
        pass

    looks = []

    def look(schedule):
        looks.append(schedule.share)
        if len(looks) == 3:
            raise Enough

    program = Program(small[0], attack, 7)
    schedule = SlotSchedule(program, given, 5)
    schedule._steps = 2
    with pytest.raises(Enough):
        schedule(look)
    again = SlotSchedule(program, given, 5)
    again.restore({name: value.copy() for name, value in schedule.snapshot().items()})
    assert 0 < schedule.share < 1
    result = again()
    np.testing.assert_array_equal(result["broken"], broken)
    np.testing.assert_array_equal(result["images"][broken], found[broken])
    whole = SlotSchedule(program, given, 5)()
    for name in ("broken_run", "step", "forwards"):
        np.testing.assert_array_equal(result[name], whole[name])
    assert (result["counts"] >= schedule.host["counts"]).all()


def test_two_devices_find_the_same(plain, small, two_replicas):
    attack, given, found, broken = plain
    devices = Devices(two_replicas)
    program = Program(small[0], attack, 10, devices)
    result = SlotSchedule(program, given, 5)()
    np.testing.assert_array_equal(result["broken"], broken)
    np.testing.assert_allclose(result["images"][broken], found[broken], atol=1e-6)


def test_no_work_is_no_work(small):
    network, images, labels = small
    empty = Work(images[:0], labels[:0].astype("int32"), np.zeros((0, 5)), np.zeros((0, 2)))
    result = SlotSchedule(Program(network, ATTACKS["targeted"], 4), empty, 5)()
    assert len(result["broken"]) == 0 and result["counts"].tolist() == [0, 0, 0, 0]
