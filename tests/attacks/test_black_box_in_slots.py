"""Attacks that know predicted classes alone, in slots: the same bits for any number of rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import Linf
from tfrobust.attacks import PGD
from tfrobust.attacks.noise import RandomNoise
from tfrobust.attacks.rays import RayS
from tfrobust.attacks.transfer import Transfer
from tfrobust.evaluation.engine.devices import Devices
from tfrobust.evaluation.engine.program import Program
from tfrobust.evaluation.engine.slots import SlotSchedule, Work
from tfrobust.losses import TargetedDLR

RNG = np.random.default_rng(0)
X = RNG.uniform(0.3, 0.7, size=(24, 4, 3, 2)).astype("float32")
SEEDS = np.stack([np.arange(24), np.full(24, 3)], axis=1).astype("int32")


def logits(x, seed):
    weights = np.random.default_rng(seed)
    first = weights.normal(size=(24, 12)).astype("float32")
    second = weights.normal(size=(12, 5)).astype("float32")
    return tf.nn.relu(tf.reshape(x - 0.5, [-1, 24]) @ first) @ second


def target(x):
    return tf.one_hot(tf.argmax(logits(x, 1), axis=1), 5)


def surrogate(x):
    return logits(x, 1) + 0.5 * logits(x, 2)


LABELS = np.argmax(target(X), axis=1).astype("int32")
WORK = Work(X, LABELS, target(X).numpy(), SEEDS)
ATTACKS = {
    "rays": RayS(Linf(0.03), 120),
    "rays-stops": RayS(Linf(0.03), 120, stop_at_success=True),
    "noise": RandomNoise(Linf(0.08), 9),
    "transfer": Transfer(
        PGD(Linf(0.03), TargetedDLR(), steps=4, targets=2, restarts=2), (surrogate,)
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_slots_find_what_a_plain_call_finds(name):
    attack = ATTACKS[name]
    found = attack(target, X, LABELS, seed=SEEDS).x.numpy()
    # Where nothing within the radius was found, RayS gives the closest image beyond it.
    inside = attack.threat_model.distance(found, X).numpy() <= attack.threat_model.radius() + 1e-6
    broken = (np.argmax(target(found), axis=1) != LABELS) & inside
    assert 0 < broken.sum() < 24
    results = [SlotSchedule(Program(target, attack, rows), WORK, 5)() for rows in (5, 24)]
    for result in results:
        np.testing.assert_array_equal(result["broken"], broken)
        for measured in ("broken_run", "step", *attack.measures):
            np.testing.assert_array_equal(result[measured], results[0][measured])
    for result in results:
        np.testing.assert_array_equal(result["images"][broken], found[broken])


def test_a_file_as_surrogate_on_two_devices(two_replicas, tmp_path):
    model = keras.Sequential(
        [keras.Input((4, 3, 2)), keras.layers.Flatten(), keras.layers.Dense(5)]
    )
    model.save(tmp_path / "surrogate.keras")
    inner = PGD(Linf(0.2), steps=3)
    devices = Devices(two_replicas)
    attack = Transfer(inner, (tmp_path / "surrogate.keras",))
    result = SlotSchedule(Program(target, attack, 8, devices), WORK, 5)()
    alone = SlotSchedule(Program(target, Transfer(inner, (model,)), 8), WORK, 5)()
    assert 0 < alone["broken"].sum() < 24
    np.testing.assert_array_equal(result["broken"], alone["broken"])
    np.testing.assert_allclose(result["images"], alone["images"], atol=1e-6)


@pytest.mark.parametrize("name", ["noise", pytest.param("transfer", marks=pytest.mark.slow)])
def test_xla_finds_the_same(name):
    plain, compiled = (
        SlotSchedule(Program(target, ATTACKS[name], 24, jit_compile=jit_compile), WORK, 5)()
        for jit_compile in (False, True)
    )
    np.testing.assert_array_equal(compiled["broken"], plain["broken"])
