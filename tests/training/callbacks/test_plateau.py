"""The plateau rule and the collapse stop, by hand and through a run that is interrupted."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

from tfrobust import data
from tfrobust.attacks import PGD
from tfrobust.data import Splits
from tfrobust.errors import UserError
from tfrobust.methods import Natural
from tfrobust.runs import checkpoint
from tfrobust.threat_models import Linf
from tfrobust.training import CoupledSGD, LinearRamp, Plateau, StopAtCollapse, train
from tfrobust.training.optimizers.learning_rate import EpochLearningRate


def network():
    return keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )


def compiled(rate=1.0, optimizer=CoupledSGD):
    model = network()
    model.compile(optimizer(rate))
    return model


def driven(callback, values, model, first=0):
    """The rate after each epoch, until training stops."""
    callback.set_model(model)
    rates = []
    for epoch, value in enumerate(values, first):
        callback.on_epoch_end(epoch, {"val_robust_accuracy": value})
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    return rates


def test_plateau_by_hand():
    """A ramp of 2 epochs; best 0.4, 0.5; a fall after every second epoch without more; the end after 10."""
    values = [0.9, 0.8, 0.4, 0.3, 0.5, 0.5, 0.4, 0.49, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9]
    model = compiled()
    rates = driven(Plateau(after=2), values, model)
    expected = [1] * 6 + [1 / 5] * 2 + [1 / 25] * 2 + [1 / 125] * 2 + [1 / 625] * 3
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert model.stop_training


def test_plateau_settings():
    model = compiled(optimizer=keras.optimizers.Adam)
    rates = driven(
        Plateau(patience=1, divisor=2, stop_after=4), [0.3, 0.2, 0.3, 0.4] + [0] * 5, model
    )
    np.testing.assert_allclose(rates, [1, 1 / 2, 1 / 4, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 32])


def test_plateau_goes_on_where_it_was():
    values = list(np.random.default_rng(0).random(30))
    whole = driven(Plateau(after=1, stop_after=8), values, compiled())
    for cut in (1, 2, 5, 7):
        model, first = compiled(), Plateau(after=1, stop_after=8)
        rates = driven(first, values[:cut], model)
        second = Plateau(after=1, stop_after=8)
        second.set_state(first.get_state())
        assert rates + driven(second, values[cut:], model, first=cut) == whole
    assert 8 < len(whole) < 30


def test_plateau_under_loss_scaling():
    model = compiled(optimizer=lambda r: keras.optimizers.LossScaleOptimizer(CoupledSGD(r)))
    Plateau(patience=1).set_model(model)
    callback = Plateau(patience=1)
    callback.set_model(model)
    for epoch in range(2):
        callback.on_epoch_end(epoch, {"val_robust_accuracy": 0.0})
    np.testing.assert_allclose(float(model.optimizer.inner_optimizer.learning_rate), 0.2)


def test_refusals():
    schedule = EpochLearningRate(LinearRamp(3), 5)
    with pytest.raises(UserError, match="plain number. Received: a schedule"):
        Plateau().set_model(compiled(schedule))
    for settings in ({"after": -1}, {"patience": 0}, {"divisor": 1.0}, {"stop_after": 1.5}):
        with pytest.raises(UserError, match=f"`{next(iter(settings))}` must"):
            Plateau(**settings)
    with pytest.raises(UserError, match="`fall` must"):
        StopAtCollapse(fall=0.0)
    for callback in (Plateau(), StopAtCollapse()):
        callback.set_model(compiled())
        with pytest.raises(UserError, match=r"did not report.*\['loss'\]"):
            callback.on_epoch_end(0, {"loss": 1.0})


def test_collapse_by_hand():
    """A fall of 0.2 is none, more is one; the kernel and bias of the epoch before come back."""
    model, callback = compiled(), StopAtCollapse()
    callback.set_model(model)
    for epoch, value in enumerate([0.1, 0.5, 0.75, 0.5625, 0.25]):
        model.layers[-1].kernel.assign(np.full((64, 10), epoch))
        callback.on_epoch_end(epoch, {"val_robust_accuracy": value})
        assert model.stop_training == (epoch == 4)
    assert (model.layers[-1].kernel.numpy() == 3).all()
    edge = StopAtCollapse(fall=0.25)
    edge.set_model(compiled())
    for epoch, value in enumerate([0.75, 0.5, 0.25]):
        edge.on_epoch_end(epoch, {"val_robust_accuracy": value})
    assert not edge.model.stop_training


class Told(keras.callbacks.Callback):
    """Puts accuracies of our own into the logs, and interrupts the run once."""

    def __init__(self, values, at):
        super().__init__()
        self.values, self.at, self.epoch = values, at, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        logs["val_accuracy"] = self.values[epoch]


@pytest.fixture(scope="module")
def splits():
    whole = data.digits()
    parts = [s.take(np.arange(64)) for s in (whole.train, whole.validation, whole.test)]
    return Splits(
        *parts, dataclasses.replace(whole.info, counts=dict.fromkeys(whole.info.counts, 64))
    )


def run(workdir, splits, values, callback, at=None, epochs=9, learning_rate=0.1):
    train(
        data=lambda: splits,
        model=network,
        method=Natural,
        optimizer=functools.partial(CoupledSGD, momentum=0.9),
        test_attack=PGD(Linf(0.1), steps=1),
        epochs=epochs,
        batch_size=16,
        learning_rate=learning_rate,
        workdir=workdir,
        augment=(),
        evaluation_batch_size=64,
        checkpoint_rule="best_clean",
        save_seconds=0,
        callbacks=[lambda: Told(values, at), callback],
    )


def test_a_schedule_is_refused_before_anything_is_written(splits, tmp_path):
    with pytest.raises(UserError, match="plain number"):
        run(tmp_path / "run", splits, [], Plateau, learning_rate=LinearRamp(9, 0.1, 0.0))
    assert not (tmp_path / "run").exists()


CASES = {
    # Falls after epochs 3 and 5, ends after 6.
    "plateau": (
        [0.1, 0.5, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1],
        lambda: Plateau(stop_after=5, monitor="val_accuracy"),
        7,
    ),
    "collapse": (
        [0.1, 0.5, 0.9, 0.85, 0.3, 0.9, 0.9, 0.9, 0.9],
        lambda: StopAtCollapse(monitor="val_accuracy"),
        5,
    ),
}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow) if c == "collapse" else c for c in CASES]
)
def test_an_interrupted_run_ends_alike(case, splits, tmp_path, monkeypatch, capsys):
    """Interrupted in the middle of an epoch that counts: the same bits; then it stays stopped."""
    monkeypatch.setattr("tfrobust.training.finish.export_classifier", lambda *a, **k: None)
    values, callback, epochs = CASES[case]
    run(tmp_path / "whole", splits, values, callback)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", splits, values, callback, at=(4, 2))
    for _ in range(2):
        run(tmp_path / "cut", splits, values, callback)
        ours, theirs = (
            checkpoint.load_newest(tmp_path / name / "checkpoints" / "latest")[0]
            for name in ("cut", "whole")
        )
        assert ours.step == theirs.step == 4 * epochs
        assert ours.state["stopped"] and ours.state["epoch"] == epochs
        assert ours.state["stateful"] | {"time": 0} == theirs.state["stateful"] | {"time": 0}
        assert ours.arrays.keys() == theirs.arrays.keys()
        for name, array in theirs.arrays.items():
            np.testing.assert_array_equal(ours.arrays[name], array, err_msg=name)
        (tmp_path / "cut" / "report.md").unlink()
    assert "Resuming at epoch 5, step 2" in capsys.readouterr().out
