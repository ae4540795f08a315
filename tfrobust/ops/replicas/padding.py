"""Rows that only fill a batch, so that its shape stays the same: their weight is a negative zero.

As a weight it is 0. But Keras counts an example of weight 0 in every metric that is not weighted, and a row
that only fills the batch is not an example: it must not be counted anywhere.
"""

import tensorflow as tf

ABSENT = -0.0
"""The weight of a row that only fills its batch."""


def is_present(sample_weight: tf.Tensor) -> tf.Tensor:
    """Which rows are examples, bool of the weights' shape, from float32 weights."""
    sign = tf.bitcast(sample_weight, tf.int32) < 0
    return ~(sign & tf.equal(sample_weight, 0.0))
