"""A run that is shortened is the run whose numbers of epochs were divided by hand."""

import dataclasses
import functools
import json
import types

import keras
import numpy as np
import pytest

from tfrobust import data
from tfrobust.attacks import PGD
from tfrobust.data import Splits
from tfrobust.errors import UserError
from tfrobust.methods import ADV
from tfrobust.threat_models import Linf
from tfrobust.training import EMA, SWA, CoupledSGD, LinearRamp, Plateau, Steps, TrainHelper, train


def network():
    return keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )


@pytest.fixture(scope="module")
def splits():
    whole = data.digits()
    parts = [s.take(np.arange(64)) for s in (whole.train, whole.validation, whole.test)]
    return Splits(
        *parts, dataclasses.replace(whole.info, counts=dict.fromkeys(whole.info.counts, 64))
    )


def run(workdir, splits, factor, monkeypatch, **length):
    """A run of two epochs, in which all that counts epochs is `factor` times as long."""
    exported = []
    with monkeypatch.context() as patch:
        patch.setattr(
            "tfrobust.training.finish.export_classifier", lambda c, *_, **__: exported.append(c)
        )
        train(
            data=lambda: splits,
            model=network,
            method=functools.partial(
                ADV,
                attack=PGD(Linf(0.1), steps=1),
                eval_attack=PGD(Linf(0.1), steps=1),
                scale=LinearRamp(1.5 * factor),
            ),
            optimizer=functools.partial(CoupledSGD, momentum=0.9),
            test_attack=PGD(Linf(0.1), steps=1),
            batch_size=16,
            learning_rate=Steps((1.5 * factor,), (0.5, 0.1)),
            workdir=workdir,
            augment=(),
            checkpoint_rule="last",
            callbacks=[functools.partial(EMA, 0.9, factor)],
            **length,
        )
    return [w.numpy() for w in exported[0].weights]


@pytest.mark.slow
def test_all_that_counts_epochs_comes_in_proportion(splits, tmp_path, monkeypatch):
    short = run(tmp_path / "short", splits, 1, monkeypatch, epochs=2)
    long = run(tmp_path / "long", splits, 4, monkeypatch, epochs=8, shorten_to=2)
    for one, other in zip(short, long, strict=True):
        np.testing.assert_array_equal(one, other)
    # What is not told apart by the weights: the record.
    reports = [json.loads((tmp_path / n / "report.json").read_text()) for n in ("short", "long")]
    assert [r["epochs"] for r in reports] == [2, 2]
    assert [r.get("shortened_from") for r in reports] == [None, 8]
    assert "epoch 2 of 2, shortened from 8" in (tmp_path / "long" / "report.md").read_text()


def test_a_run_is_not_lengthened(splits, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="`shorten_to` must be .* at most 2.* shorten_to=3"):
        run(tmp_path / "run", splits, 1, monkeypatch, epochs=2, shorten_to=3)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: SWA(16), "start"),
        (lambda: EMA(0.9, 16), "warm_up"),
        (lambda: Plateau(after=16), "after"),
    ],
)
def test_callbacks_count_from_the_proportionate_epoch(make, name):
    callback = make()
    callback.set_experiment(types.SimpleNamespace(shorten=lambda epochs: epochs // 8))
    assert vars(callback)[name] == 2


def test_a_helper_is_trained_in_proportion():
    helper = TrainHelper(CoupledSGD, Steps((40,), (0.1, 0.01)), epochs=50)
    helper.set_experiment(types.SimpleNamespace(shorten=lambda e: e // 10, steps_per_epoch=20))
    rate = helper._optimizer().get_config()["learning_rate"]["config"]
    # Five epochs of 20 steps stand for 50.
    assert rate["steps_per_epoch"] == 2.0
