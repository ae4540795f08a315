"""Compile and fit options, metrics and callbacks that Keras users reach for."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.methods import ADV, TRADES, Natural
from tfrobust.ops.replicas.padding import ABSENT
from tfrobust.ops.schedules import LinearRamp
from tfrobust.threat_models import Linf
from tfrobust.weights import AWP

ATTACK = PGD(Linf(0.1), steps=2)
RNG = np.random.default_rng(0)
X, Y = RNG.random((12, 4, 4, 1)).astype("float32"), np.arange(12) % 3


def network():
    keras.utils.set_random_seed(2)
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])


def fitted(make=lambda c: ADV(c, ATTACK), batch_size=4, epochs=1, **options):
    method = make(network())
    optimizer = options.pop("optimizer", None) or keras.optimizers.SGD(0.1)
    method.compile(optimizer, **options)
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(batch_size)
    history = method.fit(data, epochs=epochs, verbose=0).history
    return method, history


@pytest.fixture(scope="module")
def reference():
    return fitted()


@pytest.mark.parametrize(
    "options", [{"run_eagerly": True}, {"steps_per_execution": 2}, {"jit_compile": True}], ids=str
)
def test_ways_to_run_a_step(options, reference, same_weights):
    """Random starts too."""
    method, _ = fitted(**options)
    same_weights(method.classifier, reference[0].classifier, atol=1e-6)


def test_attack_under_xla_in_a_step(reference, same_weights):
    method, _ = fitted(lambda c: ADV(c, PGD(Linf(0.1), steps=2, jit_compile=True)))
    same_weights(method.classifier, reference[0].classifier, atol=1e-6)


def test_arrays_and_datasets(reference, same_weights):
    method = ADV(network(), ATTACK)
    method.compile(keras.optimizers.SGD(0.1))
    method.fit(X, Y.astype("uint8"), 4, 1, verbose=0, shuffle=False)
    assert method.steps_per_epoch == 3
    same_weights(method.classifier, reference[0].classifier, atol=1e-7)
    method.fit(X, Y, batch_size=5, validation_split=0.25, verbose=0)
    assert method.steps_per_epoch == 2
    method.steps_per_epoch = 7
    method.fit(X, Y, verbose=0)
    assert method.steps_per_epoch == 7


def test_accumulated_gradients(same_weights):
    """Two halves of a batch make the step of the whole; noise and ramps count batches, not updates."""
    accumulating = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    halves, _ = fitted(Natural, batch_size=6, optimizer=accumulating)
    whole, _ = fitted(Natural, batch_size=12)
    same_weights(halves.classifier, whole.classifier, atol=1e-6)

    epochs = []

    class Recording(ADV):
        def perturb(self, step):
            epochs.append(float(step.epoch))
            return super().perturb(step)

    accumulating = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    fitted(
        lambda c: Recording(c, ATTACK, scale=LinearRamp(1)),
        batch_size=6,
        epochs=2,
        optimizer=accumulating,
        run_eagerly=True,
    )
    np.testing.assert_allclose(epochs, [0.0, 0.5, 1.0, 1.5])


def test_compiled_metrics_join():
    top = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top")
    names = {"loss", "label_loss", "adversarial_accuracy"}
    # Clean logits, which metrics look at, are not computed in training by ADV.
    method, history = fitted(metrics=[top])
    assert set(history) == names
    scores = method.evaluate(X, Y, return_dict=True, verbose=0)
    assert set(scores) == {"loss", "accuracy", "top"}
    logits = method.predict(X, verbose=0)
    second = np.sort(logits, axis=1)[:, 1]
    np.testing.assert_allclose(scores["top"], np.mean(logits[np.arange(12), Y] >= second))
    np.testing.assert_allclose(scores["accuracy"], np.mean(logits.argmax(axis=1) == Y))
    _, history = fitted(lambda c: TRADES(c, ATTACK), metrics=[top])
    assert set(history) == names | {"accuracy", "divergence", "top"}


def test_evaluate_reports_the_clean_cross_entropy_and_padding_does_not_count():
    method = TRADES(network(), ATTACK, eval_attack=ATTACK)
    method.compile("sgd")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    expected = float(loss(Y, method.predict(X, verbose=0)))
    scores = method.evaluate(X, Y, return_dict=True, verbose=0)
    np.testing.assert_allclose(scores["loss"], expected, rtol=1e-6)
    padded = np.concatenate([X, np.zeros((3, 4, 4, 1), "float32")]), np.concatenate([Y, [0, 0, 0]])
    weights = np.array([1.0] * 12 + [ABSENT] * 3)
    again = method.evaluate(*padded, sample_weight=weights, return_dict=True, verbose=0)
    np.testing.assert_allclose(list(again.values()), list(scores.values()), rtol=1e-6)
    assert scores["robust_accuracy"] <= scores["accuracy"]


def test_robust_accuracy_is_what_it_says():
    """Counted by hand from the attack's own images; epsilon 0 gives the clean accuracy."""
    from tfrobust.ops.random.keys import content_keys

    for epsilon in (0.0, 0.3):
        attack = PGD(Linf(epsilon), steps=3)
        method = Natural(network(), eval_attack=attack, seed=5)
        method.compile("sgd")
        scores = method.evaluate(X, Y, return_dict=True, verbose=0)
        x = attack(method.classifier, X, Y, seed=content_keys(5, X)).x
        right = method.classifier(x).numpy().argmax(axis=1) == Y
        right &= method.classifier(X).numpy().argmax(axis=1) == Y
        np.testing.assert_allclose(scores["robust_accuracy"], right.mean(), rtol=1e-6)
        if epsilon == 0.0:
            assert scores["robust_accuracy"] == scores["accuracy"]


@dataclasses.dataclass(frozen=True)
class Recording(PGD):
    """Keeps what it found, in eager execution."""

    found: list = dataclasses.field(default_factory=list, compare=False)

    def search(self, *arguments):
        perturbation = super().search(*arguments)
        self.found.append(perturbation.x.numpy())
        return perturbation

    def check(self):
        object.__setattr__(self, "found", [])
        super().check()


@pytest.mark.usefixtures("eagerly")
def test_noise_of_training_and_of_evaluation():
    """New at every step of training; in evaluation the image's own, whatever the batch and the epoch."""
    attack = Recording(Linf(0.3), steps=1, step_size=0.0)
    method = ADV(network(), attack, eval_attack=Recording(Linf(0.3), steps=1, step_size=0.0))
    method.compile(keras.optimizers.SGD(0.1))
    data = tf.data.Dataset.from_tensor_slices((X, Y))
    method.fit(data.batch(12), epochs=2, verbose=0)
    first, second = attack.found
    assert np.abs(first - second).max() > 0.1
    for batch_size in (12, 5):
        method.evaluate(data.batch(batch_size), verbose=0)
    whole, *parts = method.eval_attack.found
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert np.abs(whole - X).max() > 0.1


def test_callbacks_see_validation_and_stop():
    method = Natural(network(), eval_attack=ATTACK)
    method.compile(keras.optimizers.SGD(0.0))
    stop = keras.callbacks.EarlyStopping("val_robust_accuracy", mode="max", patience=1)
    history = method.fit(X, Y, epochs=9, validation_data=(X, Y), callbacks=[stop], verbose=0)
    assert len(history.epoch) == 2
    assert {"val_loss", "val_accuracy", "val_robust_accuracy"} <= set(history.history)
    assert "robust_accuracy" not in history.history


def test_one_trace_for_training_and_validation():
    method, calls = ADV(network(), ATTACK, weight_perturbation=AWP(0.01)), []
    for name in ("train_step", "test_step"):
        step = getattr(method, name)
        setattr(method, name, lambda data, s=step, n=name: (calls.append(n), s(data))[1])
    method.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    for _ in range(2):
        method.fit(data, validation_data=data, epochs=2, verbose=0)
    assert calls == ["train_step", "test_step"]


@pytest.mark.parametrize("bad", [X + 0.5, X - 0.5, np.where(X > 0.9, np.nan, X)], ids=range(3))
def test_pixels_outside_the_box_in_a_dataset(bad):
    method = Natural(network())
    method.compile("sgd")
    data = tf.data.Dataset.from_tensor_slices((bad.astype("float32"), Y)).batch(4)
    for call in (method.fit, method.evaluate):
        with pytest.raises(UserError, match=r"all pixels in \[0, 1\]"):
            call(data, verbose=0)


def test_float16_without_loss_scaling_is_refused():
    inputs = keras.Input((4, 4, 1))
    outputs = keras.layers.Dense(3, dtype="mixed_float16")(keras.layers.Flatten()(inputs))
    with pytest.raises(UserError, match="so no loss would be scaled"):
        Natural(keras.Model(inputs, outputs)).compile("sgd")


def test_float16_with_loss_scaling():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        method, history = fitted(lambda c: TRADES(c, ATTACK), run_eagerly=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(method.optimizer, keras.optimizers.LossScaleOptimizer)
    _, expected = fitted(lambda c: TRADES(c, ATTACK), run_eagerly=True)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=2e-2)
