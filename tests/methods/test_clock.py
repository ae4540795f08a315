"""Where schedules are in time, by every road that leads through training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.methods import ADV, Free
from tfrobust.ops.schedules import LinearRamp
from tfrobust.threat_models import Linf

RNG = np.random.default_rng(0)
X, Y = RNG.random((12, 4, 4, 1)).astype("float32"), np.arange(12) % 3


class Recording(ADV):
    """Keeps the epochs that its attack is given, and the numbers of its steps."""

    def perturb(self, step):
        self.seen = [*getattr(self, "seen", ()), float(step.epoch)]
        self.numbers = [*getattr(self, "numbers", ()), int(step.number)]
        return super().perturb(step)


def ramp(kind=Recording):
    classifier = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    classifier.add(keras.layers.Dense(3))
    method = kind(classifier, PGD(Linf(0.1), steps=1), scale=LinearRamp(2))
    method.compile(keras.optimizers.SGD(0.1), run_eagerly=kind is Recording)
    return method


def fit(method, epochs, count=12, **options):
    method.seen = []
    method.fit(X[:count], Y[:count], batch_size=4, epochs=epochs, verbose=0, **options)
    return method.seen


@pytest.fixture
def method():
    return ramp()


def test_a_normal_run(method):
    expected = [np.float32(i) / np.float32(3) for i in range(6)]
    assert fit(method, 2) == expected
    assert method.numbers == list(range(6)) and float(method.epoch()) == 2.0


def test_fit_goes_on_after_fit_and_after_compile(method):
    fit(method, 2)
    method.compile(keras.optimizers.Adam(), run_eagerly=True)
    assert float(method.epoch()) == 2.0
    assert fit(method, 1)[0] == 2.0
    assert method.numbers == list(range(9))  # nor is noise drawn twice


def test_initial_epoch_counts(method):
    np.testing.assert_allclose(fit(method, 5, initial_epoch=4), [4, 4 + 1 / 3, 4 + 2 / 3])
    assert float(method.epoch()) == 5.0


def test_an_epoch_of_another_length_counts_as_one(method):
    fit(method, 2)
    assert fit(method, 1, count=4) == [2.0]
    assert fit(method, 1, count=8) == [3.0, 3.5]
    assert float(method.epoch()) == 4.0


def test_an_epoch_that_is_broken_off(method):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(method, 1, callbacks=[Stop()])
    np.testing.assert_allclose(fit(method, 1), [1 / 3, 2 / 3, 1.0])


def test_a_length_of_one_s_own(method):
    with pytest.raises(UserError, match="Set method.steps_per_epoch"):
        method.train_on_batch(X, Y)
    with pytest.raises(UserError, match="Set method.steps_per_epoch"):
        method.train_step((tf.constant(X), tf.constant(Y)))
    method.steps_per_epoch = 4
    for _ in range(6):
        method.train_on_batch(X, Y)
    np.testing.assert_allclose(method.seen, [0, 0.25, 0.5, 0.75, 1.0, 1.25])
    method.steps_per_epoch = 2
    assert float(method.epoch()) == 1.5
    method.train_on_batch(X, Y)
    assert float(method.epoch()) == 2.0


def test_refused_inside_a_function():
    method = ramp(ADV)
    with pytest.raises(UserError, match="how many steps an epoch has"):
        tf.function(method.train_step, autograph=False)((tf.constant(X), tf.constant(Y)))


def test_the_clock_is_in_every_file(method, tmp_path):
    fit(method, 2)
    method.steps_per_epoch = 3
    method.train_on_batch(X, Y)
    method.save_weights(tmp_path / "a.weights.h5")
    other = ramp()
    other.load_weights(tmp_path / "a.weights.h5")
    assert float(other.epoch()) == float(method.epoch()) == np.float32(7) / np.float32(3)
    plain = ramp(ADV)
    fit(plain, 2)
    plain.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert float(loaded.epoch()) == 2.0 and loaded.steps_per_epoch == 3
    fit(loaded, 1)
    assert float(loaded.epoch()) == 3.0


def test_keras_s_backup_begins_the_epoch_again(method, tmp_path):
    class Die(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.clock.steps) == 5:
                raise RuntimeError("killed")

    backup = {"callbacks": [keras.callbacks.BackupAndRestore(tmp_path / "backup"), Die()]}
    with pytest.raises(RuntimeError, match="killed"):
        fit(method, 3, **backup)
    again = ramp()
    backup["callbacks"].pop()
    np.testing.assert_allclose(fit(again, 3, **backup), np.arange(3, 9) / 3, rtol=1e-6)


def test_replays_are_steps_of_the_clock():
    classifier = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    classifier.add(keras.layers.Dense(3))
    method = Free(classifier, Linf(0.1), batch_shape=(4, 4, 4, 1), replays=2)
    method.compile("sgd")
    method.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    assert float(method.epoch()) == 2.0 and int(method.clock.steps) == 12
