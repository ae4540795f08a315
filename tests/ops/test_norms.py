"""Norms per example."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.ops import norms

X = np.random.default_rng(0).normal(size=(4, 3, 2, 2)).astype("float32")


def test_l2_and_unit_against_numpy():
    length = np.sqrt(np.square(X).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(norms.l2(X), length, rtol=1e-6)
    unit = norms.unit_l2(tf.constant(X))
    np.testing.assert_allclose(unit, X / length[:, None, None, None], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("factor", [1e-30, 1e-20, 1e20, 1e35])
def test_unit_survives_what_squares_do_not(factor):
    tiny = tf.constant(X * np.float32(factor))
    np.testing.assert_allclose(norms.unit_l2(tiny), norms.unit_l2(tf.constant(X)), rtol=1e-5)


def test_zero_stays_zero():
    x = X.copy()
    x[1] = 0.0
    unit = norms.unit_l2(tf.constant(x)).numpy()
    assert np.all(unit[1] == 0.0) and np.isfinite(unit).all()


def test_shapes():
    x = tf.constant(X)
    assert norms.flat(x).shape == (4, 12)
    assert norms.expand(tf.range(4.0), x).shape == (4, 1, 1, 1)
    assert norms.l2(x[:0]).shape == norms.unit_l2(x[:0]).shape[:1] == (0,)
