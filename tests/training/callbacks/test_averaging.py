"""SWA and EMA by hand, what the rest of a run sees of them, and runs that were interrupted."""

import contextlib
import functools
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import data, training
from tfrobust.attacks import PGD
from tfrobust.data import Splits
from tfrobust.errors import Interrupted, UserError
from tfrobust.methods import Natural
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.dropout import Dropout
from tfrobust.runs import checkpoint
from tfrobust.threat_models import Linf
from tfrobust.training import EMA, SWA
from tfrobust.training.callbacks.recompute import recompute_statistics

X = np.random.default_rng(0).normal(2.0, 3.0, (12, 4)).astype("float32")
Y = np.arange(12) % 3
STEPS = 3


def batches(x=X):
    return tf.data.Dataset.from_tensor_slices((x, Y[: len(x)])).batch(4)


def network(normalization=None, dropout=False):
    keras.utils.set_random_seed(2)
    parts = [] if normalization is None else [normalization()]
    if dropout:
        parts.append(Dropout(0.5, seed=1))
    model = keras.Sequential([keras.Input((4,)), *parts, keras.layers.Dense(3)])
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


class Watch(keras.callbacks.Callback):
    """The live kernel after each step, and the kernel that validation and epoch ends see."""

    def __init__(self):
        super().__init__()
        self.live, self.validated, self.at_the_end = [], [], []

    def kernel(self):
        return self.model.layers[-1].kernel.numpy()

    def on_train_batch_end(self, batch, logs=None):
        self.live.append(self.kernel())

    def on_test_batch_begin(self, batch, logs=None):
        self.validated.append(self.kernel())

    def on_epoch_end(self, epoch, logs=None):
        self.at_the_end.append(self.kernel())


def watched(callback, validation, epochs=4):
    model, watch = network(), Watch()
    options = {"validation_data": batches(X[:4])} if validation else {}
    callbacks = [callback, watch] if callback else [watch]
    model.fit(batches(), epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks, **options)
    return model, watch


@pytest.fixture(scope="module")
def plain():
    return watched(None, validation=False)[1].live


@pytest.mark.parametrize("validation", [True, False])
def test_swa_by_hand(plain, validation):
    """The mean of epochs 2, 3, 4; training goes on as if there were none."""
    model, watch = watched(SWA(start=1), validation)
    np.testing.assert_array_equal(watch.live, plain)
    ends = plain[STEPS - 1 :: STEPS]
    means = [ends[0]] + [np.mean(ends[1 : n + 1], axis=0) for n in (1, 2, 3)]
    np.testing.assert_allclose(watch.at_the_end, means, rtol=1e-6)
    if validation:
        np.testing.assert_allclose(watch.validated, means, rtol=1e-6)
    np.testing.assert_allclose(model.layers[-1].kernel, means[-1], rtol=1e-6)


@pytest.mark.parametrize(("decay", "warm_up"), [(0.995, 0), (0.2, 2)])
def test_ema_by_hand(plain, decay, warm_up):
    """t = 1/10, 2/11, ... up to the decay, from the end of the warm-up on."""
    _, watch = watched(EMA(decay, warm_up), validation=True)
    np.testing.assert_array_equal(watch.live, plain)
    first = warm_up * STEPS
    start = network().layers[-1].kernel.numpy() if warm_up == 0 else plain[first - 1]
    average, ends = start, []
    for step, kernel in enumerate(plain):
        if step >= first:
            d = step - first
            t = min(decay, (1 + d) / (10 + d))
            average = t * average + (1 - t) * kernel
        if (step + 1) % STEPS == 0:
            ends.append(average if step >= first else kernel)
    np.testing.assert_allclose(watch.validated, ends, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(watch.at_the_end, ends, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [keras.layers.BatchNormalization, BatchNormalization])
@pytest.mark.parametrize("distributed", [False, True])
def test_recomputed_statistics(kind, distributed, two_replicas):
    """Batches of 5, 5 and 2: the mean of their statistics, weighted by their sizes."""
    strategy = two_replicas if distributed else None
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = network(kind, dropout=True)
    before = [v.numpy() for v in model.variables]
    dataset = tf.data.Dataset.from_tensor_slices(X).batch(5)
    recompute_statistics(model, dataset, strategy)
    parts = X[:5], X[5:10], X[10:]
    correction = 1 if kind is BatchNormalization else 0  # PyTorch's unbiased variance
    mean = sum(len(x) * x.mean(axis=0) for x in parts) / 12
    variance = sum(len(x) * x.var(axis=0, ddof=correction) for x in parts) / 12
    layer = model.layers[0]
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    # Dropout's state, too.
    for variable, old in zip(model.variables, before, strict=True):
        if "moving" not in variable.path:
            np.testing.assert_array_equal(variable.numpy(), old, err_msg=variable.path)


def test_swa_of_one_snapshot_is_that_snapshot_with_its_statistics():
    """And training's own statistics and dropout go on as if there were no averaging."""
    kernels = {}
    for name, callbacks in (("plain", []), ("swa", [SWA(0, batches(X[:8]))])):
        model = network(BatchNormalization, dropout=True)
        options = {"shuffle": False, "verbose": 0, "callbacks": callbacks}
        model.fit(batches(), epochs=1, **options)
        if callbacks:
            layer = model.layers[0]
            np.testing.assert_allclose(layer.moving_mean, X[:8].mean(axis=0), rtol=1e-5)
            np.testing.assert_allclose(model.layers[-1].kernel, kernels["after one"], rtol=1e-6)
        else:
            kernels["after one"] = model.layers[-1].kernel.numpy()
        model.fit(batches(), epochs=2, initial_epoch=1, **options)
        if callbacks:
            callbacks[0]._exchange()
        kernels[name] = [w.numpy() for w in model.weights]
    for ours, theirs in zip(kernels["swa"], kernels["plain"], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_statistics_need_data():
    with pytest.raises(UserError, match="Give them as `data`"):
        network(BatchNormalization).fit(batches(), shuffle=False, verbose=0, callbacks=[SWA(0)])
    for make in (lambda: SWA(-1), lambda: EMA(1.0), lambda: EMA(0.9, -1)):
        with pytest.raises(UserError, match="must"):
            make()


def small():
    whole = data.digits()
    train, rest = (split.take(np.arange(128)) for split in (whole.train, whole.validation))
    return Splits(train, rest, rest, whole.info)


def classifier():
    inputs = keras.Input((8, 8, 1))
    x = BatchNormalization()(inputs)
    x = Dropout(0.1, seed=3)(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(10)(x))


@pytest.mark.parametrize("make", [lambda data: SWA(1, data), lambda data: EMA(0.9, 1)])
def test_one_device_equals_two(make, two_replicas):
    train = small().train
    dataset = tf.data.Dataset.from_tensor_slices((train.images, train.labels)).batch(48)
    weights = []
    for strategy in (None, two_replicas):
        keras.utils.set_random_seed(4)
        with strategy.scope() if strategy else contextlib.nullcontext():
            method = Natural(classifier())
            method.compile(keras.optimizers.SGD(0.1))
        method.fit(dataset, epochs=2, verbose=0, callbacks=[make(dataset)])
        weights.append([w.numpy() for w in method.classifier.weights])
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)


class Stop(keras.callbacks.Callback):
    """Sends SIGTERM when something happens for the n-th time."""

    def __init__(self, event, time):
        super().__init__()
        self.left = time
        setattr(self, event, self.count)

    def count(self, *_, **__):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


def run(workdir, average, stop=None):
    callbacks = [average] if stop is None else [average, functools.partial(Stop, *stop)]
    return training.train(
        data=small,
        model=classifier,
        method=functools.partial(Natural, eval_attack=PGD(Linf(0.1), steps=1)),
        optimizer=functools.partial(training.CoupledSGD, momentum=0.9),
        test_attack=PGD(Linf(0.1), steps=1),
        epochs=3,
        batch_size=32,
        learning_rate=0.1,
        workdir=workdir,
        checkpoint_rule="last",
        save_seconds=1000,
        callbacks=callbacks,
    )


@pytest.mark.slow
@pytest.mark.parametrize("average", [functools.partial(SWA, 1), functools.partial(EMA, 0.9, 1)])
def test_an_interrupted_run_ends_with_the_same_bits(average, tmp_path, monkeypatch):
    """Stopped at the end of epoch 2 and in the validation of epoch 3."""
    saved = []
    monkeypatch.setattr(
        "tfrobust.training.finish.export_classifier", lambda c, *_, **__: saved.append(c)
    )
    run(tmp_path / "whole", average)
    exported = saved[0]
    workdir = tmp_path / "stopped"
    for stop in (("on_epoch_end", 2), ("on_test_batch_begin", 1)):
        with pytest.raises(Interrupted):
            run(workdir, average, stop)
    run(workdir, average)
    for folder in ("latest", "best"):
        ours, theirs = (
            checkpoint.load_newest(tmp_path / name / "checkpoints" / folder)[0]
            for name in ("stopped", "whole")
        )
        assert ours.arrays.keys() == theirs.arrays.keys()
        for name, array in theirs.arrays.items():
            np.testing.assert_array_equal(ours.arrays[name], array, err_msg=name)
    # The exported classifier has the average, which is what was validated.
    kernels = {k: v for k, v in theirs.arrays.items() if "dense/kernel" in k and "model/" in k}
    np.testing.assert_array_equal(exported.layers[-1].kernel, next(iter(kernels.values())))
    live = checkpoint.load_newest(tmp_path / "whole" / "checkpoints" / "latest")[0]
    others = [v for k, v in live.arrays.items() if k.startswith("callback/") and v.ndim == 2]
    assert np.abs(others[0] - exported.layers[-1].kernel).max() > 1e-4


@pytest.mark.parametrize("warm_up", [0, 1])
def test_several_steps_in_one_execution(warm_up):
    """Of three steps an epoch two run in one execution, and one by itself: the average is the same."""
    results = []
    for several in (1, 2):
        model, average = network(), EMA(0.9, warm_up)
        model.steps_per_execution = several
        model.fit(batches(), epochs=2, verbose=0, shuffle=False, callbacks=[average])
        results.append((average.count, *model.get_weights(), *average.get_arrays().values()))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-6)
    assert results[0][0] == 6 - 3 * warm_up
    assert "train_step" not in vars(model)
    model.fit(batches(), verbose=0, shuffle=False)
