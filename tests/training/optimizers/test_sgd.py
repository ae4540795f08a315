"""SGD with PyTorch's semantics, by numbers that a reader can redo."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.training.optimizers.sgd import CoupledSGD


def steps(optimizer, gradients, start=2.0, shape=()):
    variable = keras.Variable(np.full(shape, start, "float32"))
    seen = []
    for gradient in gradients:
        optimizer.apply([tf.fill(shape, gradient)], [variable])
        seen.append(float(np.ravel(variable.numpy())[0]))
    return seen


def test_momentum_without_the_learning_rate():
    # v = 1, 0.5 + 1 = 1.5; w = 2 - 0.1, then - 0.15
    optimizer = CoupledSGD(0.1, momentum=0.5)
    np.testing.assert_allclose(steps(optimizer, [1.0, 1.0]), [1.9, 1.75], rtol=1e-6)


def test_after_a_drop_of_the_rate_the_steps_are_small_at_once():
    # The rate falls from 0.1 to 0.01 and the gradient to 0: v = 0.9, w moves by 0.009. Keras's moves by 0.09.
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.1, 0.01])
    ours = steps(CoupledSGD(rate, momentum=0.9), [1.0, 0.0])
    stock = steps(keras.optimizers.SGD(rate, momentum=0.9), [1.0, 0.0])
    np.testing.assert_allclose(np.diff(ours), [-0.009], rtol=1e-4)
    np.testing.assert_allclose(np.diff(stock), [-0.09], rtol=1e-4)


def test_nesterov_looks_ahead():
    # v = 1: step 1 + 0.5 * 1 = 1.5; v = 1.5: step 1 + 0.5 * 1.5 = 1.75
    optimizer = CoupledSGD(0.1, momentum=0.5, nesterov=True)
    np.testing.assert_allclose(steps(optimizer, [1.0, 1.0]), [1.85, 1.675], rtol=1e-6)


def test_weight_decay_is_coupled_and_may_spare_what_is_no_kernel():
    # g = 0 + 0.1 * 2 = 0.2; v = 0.2; w = 1.98. Then g = 0.198, v = 0.1 + 0.198.
    decayed = steps(CoupledSGD(0.1, momentum=0.5, coupled_weight_decay=0.1), [0.0, 0.0])
    np.testing.assert_allclose(decayed, [1.98, 1.98 - 0.0298], rtol=1e-6)
    options = {"momentum": 0.5, "coupled_weight_decay": 0.1, "decay_kernels_only": True}
    assert steps(CoupledSGD(0.1, **options), [0.0], shape=(3,)) == [2.0]
    assert steps(CoupledSGD(0.1, **options), [0.0], shape=(3, 3))[0] < 2.0


def test_at_a_constant_rate_it_is_keras_s():
    gradients = np.random.default_rng(0).normal(size=20).astype("float32")
    for nesterov in (False, True):
        ours = steps(CoupledSGD(0.05, 0.9, nesterov), gradients)
        stock = steps(keras.optimizers.SGD(0.05, 0.9, nesterov), gradients)
        np.testing.assert_allclose(ours, stock, rtol=1e-5)


def test_it_survives_its_config():
    optimizer = CoupledSGD(0.3, 0.8, True, 5e-4, True)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, CoupledSGD)
    assert again.get_config() == optimizer.get_config()


def test_bad_settings_are_refused():
    with pytest.raises(UserError, match="momentum"):
        CoupledSGD(momentum=1.5)
    with pytest.raises(UserError, match="coupled_weight_decay"):
        CoupledSGD(coupled_weight_decay=-1e-4)
