"""Slots change nothing: the same bits for any number of them, one trace, every step counted."""

import itertools
import types

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import Linf
from tfrobust.attacks import APGD
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.engine.scheduling import pool as pools
from tfrobust.evaluation.engine.scheduling import slots
from tfrobust.evaluation.engine.scheduling.pace import Pace
from tfrobust.evaluation.engine.scheduling.pool import ProgramPool
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
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
    # More rows than were saved: the busy ones come first.
    other = SlotSchedule(Program(small[0], attack, 12), given, 5)
    other.restore({name: value.copy() for name, value in schedule.snapshot().items()})
    result = other()
    np.testing.assert_array_equal(result["broken"], broken)
    np.testing.assert_array_equal(result["images"][broken], found[broken])


class Quick(Program):
    """A program whose trace costs what a test says."""

    cost = 0.0

    @property
    def trace_cost(self):
        return self.cost


class Dear(Quick):
    cost = 1e9


def shrunk(network, attack, given, kind, monkeypatch, rows=64):
    """What a schedule finds that may go on with fewer rows after each step, and its pool."""
    monkeypatch.setattr(slots, "LOOK", 0.0)
    monkeypatch.setattr(pools, "FEWEST_ROWS", 1)
    pool = ProgramPool(lambda rows: kind(network, attack, rows))
    schedule = SlotSchedule(pool.choose(rows), given, 5, pool=pool)
    schedule._steps = 1
    return schedule(), pool


def test_rows_shrink_as_examples_fall_and_the_bits_stay(plain, small, monkeypatch):
    attack, given, found, broken = plain
    result, pool = shrunk(small[0], attack, given, Quick, monkeypatch)
    np.testing.assert_array_equal(result["broken"], broken)
    np.testing.assert_array_equal(result["images"][broken], found[broken])
    whole = SlotSchedule(Program(small[0], attack, 64), given, 5)()
    for name in ("broken_run", "step", "forwards"):
        np.testing.assert_array_equal(result[name], whole[name])
    sizes = list(pool.programs)
    assert 1 < len(sizes) <= 1 + np.log2(64)
    assert all(2 * after <= before for before, after in itertools.pairwise(sizes))
    assert result["counts"][2] < whole["counts"][2]
    # What is there already is used again; nothing is traced.
    traces = pool.traces
    again = SlotSchedule(pool.choose(64), given, 5, pool=pool)
    again._steps = 1
    np.testing.assert_array_equal(again()["broken"], broken)
    assert pool.traces == traces == len(sizes)


def test_rows_stay_where_a_trace_costs_more_than_it_saves(plain, small, monkeypatch):
    attack, given, _, broken = plain
    result, pool = shrunk(small[0], attack, given, Dear, monkeypatch)
    np.testing.assert_array_equal(result["broken"], broken)
    assert list(pool.programs) == [64]


def test_a_pool_makes_what_pays():
    pool = ProgramPool(lambda rows: types.SimpleNamespace(rows=rows, trace_cost=2.0), count=2)
    large = pool.choose(63)
    assert large.rows == 64 and pool.choose(5) is large and pool.choose(64) is large
    # Half of the rows are idle: of the seconds that are left one half is saved, twice the cost at 8.
    assert pool.shrink(large, 32, 7.9) is large and pool.shrink(large, 34, 1e9) is large
    small = pool.shrink(large, 32, 8.1)
    assert small.rows == 32 and pool.shrink(large, 31, 0.0) is small
    # Fewer rows save nothing.
    assert pool.shrink(large, 1, 1e9) is small and pool.shrink(small, 1, 1e9) is small
    # A trace for 64 is compared with the 128 rows that are there, not with the present ones.
    whole, half = pool.make(256), pool.make(128)
    del pool.programs[64], pool.programs[32]
    assert pool.shrink(whole, 60, 15.9) is half and pool.shrink(whole, 60, 16.1).rows == 64


def test_a_pool_believes_what_was_measured():
    def choose(pace, seconds):
        program = types.SimpleNamespace(rows=256, trace_cost=1.0)
        make = lambda rows: types.SimpleNamespace(rows=rows)  # noqa: E731
        return ProgramPool(make, estimate=pace.estimate).shrink(program, 100, seconds).rows

    # 128 rows take three quarters of the time of 256, where half was thought.
    assert choose(Pace(), 3.9) == 256 and choose(Pace(), 4.1) == 128
    pace = Pace(2, (64, 128, 256), (0.5, 0.75, 1.0))
    assert choose(pace, 7.9) == 256 and choose(pace, 8.1) == 128
    # Where they are not faster at all, none are made.
    assert choose(Pace(2, (64, 256), (1.0, 1.0)), 1e9) == 256


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
