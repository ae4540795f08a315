"""What a dry run says of memory."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.methods import GAIRAT, Natural
from tfrobust.ops.replicas.workers import ALONE
from tfrobust.threat_models import Linf
from tfrobust.training import memory_plan, plan
from tfrobust.training.memory_plan import StepMemory

MEMORY = StepMemory(fixed=2.0**30, per_image=2.0**24)  # 1 GiB, and 64 images a GiB


def network():
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])


def natural(steps=1):
    method = Natural(network())
    method.compile("sgd", accumulation_steps=steps)
    return method


def gairat():
    method = GAIRAT(network(), PGD(Linf(0.1)), burn_in=1)
    method.compile("sgd")
    return method


@pytest.mark.parametrize(
    ("make", "batch", "gib", "words"),
    [
        (natural, 128, 3, None),
        (
            natural,
            128,
            2.5,
            ["of 128 images needs about 3.00 GiB, over the 2.50", "_steps = 2: about 2.00"],
        ),
        (natural, 256, 1.5, ["about 5.00 GiB", "accumulation_steps = 8: about 1.50 GiB"]),
        (lambda: natural(4), 256, 1.5, ["about 2.00 GiB", "accumulation_steps = 8"]),
        (lambda: natural(8), 256, 1.5, None),
        (
            gairat,
            256,
            1.5,
            [
                "Set training.train.rematerialize = True, or training.train.batch_size to at most 32 (GAIRAT"
            ],
        ),
        (natural, 256, 1.0, ["Not even one image"]),
    ],
)
def test_advice_by_hand(make, batch, gib, words):
    said = memory_plan.advise(MEMORY, make(), batch, int(gib * 2**30))
    assert (said is None) == (words is None)
    assert all(word in said for word in words or ())


def experiment(method, size):
    images = np.random.default_rng(0).random((size, 8, 8, 1)).astype("float32")
    data = tf.data.Dataset.from_tensors((images, np.zeros(size, "int64"))).repeat()
    return types.SimpleNamespace(
        method=method, batch_size=size, training_dataset=lambda: data, workers=ALONE
    )


def test_the_line_goes_through_an_eighth_and_a_quarter_of_the_batch(monkeypatch):
    sizes = []

    class Counted(Natural):
        def train_on_batch(self, x, y):
            sizes.append(len(x))

    class Memory:
        def growth(self):
            return 1000 + 10 * sizes[-1]

    monkeypatch.setattr(memory_plan, "Memory", Memory)
    monkeypatch.setattr(memory_plan, "measure_process_peak", lambda: 500)
    assert memory_plan.estimate(experiment(Counted(network()), 64)) is None and sizes == []
    monkeypatch.setattr(memory_plan, "measure_available", lambda: 2**20)
    assert memory_plan.estimate(experiment(Counted(network()), 64)) == StepMemory(1500.0, 10.0)
    assert sizes == [8, 8, 16, 16]


@pytest.mark.parametrize(
    ("make", "words"), [(natural, "accumulation_steps = 2"), (gairat, "GAIRAT cannot accumulate")]
)
def test_a_device_without_memory(make, words):
    with pytest.raises(UserError, match=words), memory_plan.naming_what_helps(make(), 64):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


def test_a_step_that_does_not_fit_is_not_made(monkeypatch, capsys):
    method = natural()
    monkeypatch.setattr(memory_plan, "estimate", lambda experiment: MEMORY)
    monkeypatch.setattr(memory_plan, "measure_available", lambda: 3 * 2**29)
    plan.print_plan(experiment(method, 64))
    said = capsys.readouterr().out
    assert "accumulation_steps = 2" in said and "nothing was written" in said
    assert int(method.optimizer.iterations.numpy()) == 0
