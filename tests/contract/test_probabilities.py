"""Rows that sum to 1 within what the precision of their numbers allows are probabilities, and no others."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import contract
from tfrobust.contract.outputs import sum_to_one
from tfrobust.errors import UserError

LOGITS = np.random.default_rng(0).normal(size=(8, 3)) * 3


def normalised(k, dtype, rows=8):
    logits = np.random.default_rng(k).normal(size=(rows, k)) * 2
    return tf.nn.softmax(tf.constant(logits, dtype))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.bfloat16, tf.float16])
@pytest.mark.parametrize("k", [2, 10, 1000])
def test_a_softmax_in_any_precision_gives_probabilities(k, dtype):
    outputs = normalised(k, dtype)
    if k == 1000 and dtype == tf.bfloat16:
        # TensorFlow's own sums of so many are off by more.
        outputs = tf.cast(normalised(k, tf.float32), tf.bfloat16)
    # As they come through the door: in float32 at least.
    if dtype.size == 2:
        outputs = tf.cast(outputs, tf.float32)
    assert bool(contract.are_probabilities(outputs))


@pytest.mark.parametrize("k", [2, 10, 1000])
def test_clipped_probabilities_are_probabilities(k):
    # As Keras clips them for its losses.
    outputs = tf.clip_by_value(normalised(k, tf.float32), 1e-7, 1 - 1e-7)
    assert bool(contract.are_probabilities(outputs))


def test_logits_that_sum_to_about_one_are_logits():
    # Four identical images of a linear model.
    row = tf.constant([[0.199, 0.422, 0.373]], tf.float32)
    outputs = tf.repeat(row, 4, axis=0)
    assert abs(float(tf.reduce_sum(row)) - 1) < 1e-2
    assert not bool(contract.are_probabilities(outputs))
    contract.require_logits(outputs)
    # Divided by their sum they are probabilities.
    with pytest.raises(UserError, match="probabilities"):
        contract.require_logits(outputs / tf.reduce_sum(row))


@pytest.mark.parametrize("off", [1e-4, -1e-4, 1e-3])
def test_the_slack_is_that_of_float32(off):
    outputs = normalised(10, tf.float32) + tf.constant(off / 10)
    assert not bool(contract.are_probabilities(outputs))


def test_in_a_graph_as_eagerly():
    graph = tf.function(sum_to_one)
    assert bool(graph(normalised(3, tf.float32)))
    assert not bool(graph(tf.constant(LOGITS, tf.float32)))
    assert not bool(graph(normalised(3, tf.float32) + 1e-3))


def test_numbers_out_of_range_and_not_a_number():
    assert not bool(contract.are_probabilities(tf.constant([[1e30, -1e30]])))
    assert not bool(contract.are_probabilities(tf.constant([[np.nan, 0.5]])))
    assert not bool(contract.are_probabilities(tf.zeros((0, 3))))
