"""Free adversarial training by hand, its buffer, and what it is without a radius."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.methods import Free, Natural
from tfrobust.runs.variables import list_copies
from tfrobust.threat_models import L2, Linf

SHAPE = (2, 1, 1, 1)
RATE = 0.1


def classifier():
    """z = (0, 2 x)."""
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
    )
    model.layers[-1].kernel.assign([[0.0, 2.0]])
    return model


def made(rate=RATE, **settings):
    method = Free(classifier(), Linf(0.25), **{"batch_shape": SHAPE, "replays": 2, **settings})
    method.compile(keras.optimizers.SGD(rate))
    return method


def images(*values):
    return np.array(values, "float32").reshape(-1, 1, 1, 1)


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


@pytest.mark.usefixtures("eagerly")
def test_two_replays_by_hand():
    """One example of label 1: the first pass is at x = 1/2, delta goes down by 0.1, the second at 0.4."""
    method = made(step_size=0.1)
    logs = method.train_on_batch(images(0.5), np.array([1]), return_dict=True)
    kernel, losses = np.array([0.0, 2.0]), []
    for x in (0.5, 0.4):
        p = sigmoid(x * (kernel[1] - kernel[0]))
        losses.append(-np.log(p))
        kernel += RATE * (1 - p) * x * np.array([-1.0, 1.0])
    np.testing.assert_allclose(method.classifier.layers[-1].kernel[0], kernel, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], np.mean(losses), rtol=1e-5)
    np.testing.assert_allclose(method.delta.numpy().ravel(), [-0.2, 0.0], rtol=1e-6)
    assert int(method.optimizer.iterations.numpy()) == 2


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("clip_to_box", [False, True])
def test_delta_is_carried_over_and_limited(clip_to_box):
    """Rate 0, one step of 0.1 a batch. Labels 1, 0: down, up; limited by 1/4; rows stay with the batch."""
    method = made(rate=0.0, replays=1, step_size=0.1, clip_to_box=clip_to_box)
    expected = [(-0.1, 0.1), (-0.2, 0.2), (-0.25, 0.25)]
    for down, up in expected:
        method.train_on_batch(images(0.5, 0.5), np.array([1, 0]))
        np.testing.assert_allclose(method.delta.numpy().ravel(), [down, up], rtol=1e-6)
    # A smaller batch uses the first row; the second stays. Label 0 sends it up again.
    method.train_on_batch(images(0.5), np.array([0]))
    np.testing.assert_allclose(method.delta.numpy().ravel(), [-0.15, 0.25], rtol=1e-6)
    # At the edge of the box: 0.05 - 0.15 is outside, where the gradient is zero.
    method.train_on_batch(images(0.05), np.array([1]))
    edge = -0.05 if clip_to_box else -0.15
    np.testing.assert_allclose(method.delta.numpy().ravel(), [edge, 0.25], rtol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_the_step_is_epsilon_by_default():
    method = made(rate=0.0, replays=1)
    method.train_on_batch(images(0.5), np.array([1]))
    np.testing.assert_allclose(method.delta.numpy().ravel(), [-0.25, 0.0])


@pytest.mark.usefixtures("eagerly")
def test_radius_0_is_natural_training_on_repeated_batches(make_classifier, data, same_weights):
    def trained(make, repeats=1):
        method = make(make_classifier())
        method.compile(keras.optimizers.SGD(0.1, momentum=0.9))
        for x, y, weight in data:
            for _ in range(repeats):
                method.train_on_batch(x, y, sample_weight=weight)
        return method.classifier

    natural = trained(Natural, repeats=3)
    settings = {"batch_shape": (7, 4, 4, 1), "replays": 3}
    same_weights(trained(lambda c: Free(c, Linf(0.0), **settings)), natural, atol=1e-6)
    with pytest.raises(AssertionError):
        same_weights(trained(lambda c: Free(c, Linf(0.1), **settings)), natural, atol=1e-4)


@pytest.mark.usefixtures("eagerly")
def test_epochs_are_counted_in_steps():
    method = made()
    method.steps_per_epoch = 4
    for done in range(1, 7):
        method.train_on_batch(images(0.5), np.array([1]))
        np.testing.assert_allclose(method.epoch(), done / 4)


def test_refusals():
    for settings, message in (
        ({"replays": 0}, "`replays` must be a whole number"),
        ({"batch_shape": (2, 1, 1)}, r"`batch_shape` must be \(b, h, w, c\)"),
        ({"batch_shape": (0, 1, 1, 1)}, "`batch_shape` must be a whole number"),
        ({"step_size": -1.0}, "`step_size` must"),
        ({"clip_to_box": 1}, "`clip_to_box` must be of kind bool"),
    ):
        with pytest.raises(UserError, match=message):
            made(**settings)
    with pytest.raises(UserError, match="`threat_model` must be of kind Linf"):
        Free(classifier(), L2(0.1), batch_shape=SHAPE)
    with pytest.raises(UserError, match="do not fit"):
        made().train_on_batch(images(0.5, 0.5, 0.5), np.array([1, 1, 1]))
    data = tf.data.Dataset.from_tensor_slices((images(0.5, 0.5, 0.5), [1, 1, 1])).batch(3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="A batch is larger than batch_shape"):
        made().fit(data, verbose=0)


def test_two_devices_share_the_buffer(two_replicas):
    """Batches of 8 are cut into 4 and 4, batches of 4 into 2 and 2: rows 2 and 3 change devices."""
    x = np.linspace(0.1, 0.9, 8).astype("float32").reshape(8, 1, 1, 1)
    whole = tf.data.Dataset.from_tensor_slices((x, np.arange(8) % 2))
    buffers = []
    for strategy in (None, two_replicas):
        with contextlib.nullcontext() if strategy is None else strategy.scope():
            method = made(batch_shape=(8, 1, 1, 1), replays=1, step_size=0.1)
        for size in (8, 4):
            method.fit(whole.batch(size), verbose=0)
        copies = list_copies(method.delta)
        for copy in copies:
            np.testing.assert_array_equal(copy.numpy(), copies[0].numpy())
        buffers.append(copies[0].numpy())
    np.testing.assert_allclose(buffers[1], buffers[0], atol=1e-6)
    assert len(copies) == 2
