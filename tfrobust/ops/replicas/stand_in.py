"""Gives a replica without examples one row of zeros to compute on, which is not counted.

TensorFlow's convolutions (oneDNN) of an empty batch fail or give a wrong shape, and collective sums need
every replica. So an empty batch gets one row: it changes no statistics, adds nothing to a loss, a metric or
a sum over replicas, and its results are cut off.
"""

import contextlib
import threading
from collections.abc import Iterator

import tensorflow as tf

_thread = threading.local()


@contextlib.contextmanager
def stand_in(first: tf.Tensor, *others: tf.Tensor | None) -> Iterator[list[tf.Tensor | None]]:
    """Gives the tensors (or None) as a list, with a row of zeros each where their first axis is empty.

    Inside, `mask_stand_in` and `rows_that_count` know whether the row is one. Open it inside the function
    that `strategy.run` calls. Where the first axis is known not to be empty, and on one device where
    it is not known, nothing is added; nor inside another one.
    """
    tensors, outer = (first, *others), getattr(_thread, "holds", None)
    count = first.shape[0]
    if count or outer is not None or (count is None and _replicas() == 1):
        yield list(tensors)
        return
    empty = tf.cast(tf.equal(tf.shape(first)[0], 0), tf.int32)
    _thread.holds = empty < 1
    try:
        yield [None if t is None else _longer(t, empty) for t in tensors]
    finally:
        _thread.holds = None


def mask_stand_in(value: tf.Tensor) -> tf.Tensor:
    """`value`, or zeros of its shape if this replica holds no example."""
    holds = getattr(_thread, "holds", None)
    return value if holds is None else tf.where(holds, value, tf.zeros_like(value))


def rows_that_count(x: tf.Tensor) -> tf.Tensor | None:
    """Which rows of `x` are examples, bool (b,); None if all of them are."""
    holds = getattr(_thread, "holds", None)
    return None if holds is None else tf.fill(tf.shape(x)[:1], holds)


def _replicas():
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def _longer(tensor, rows):
    zeros = tf.zeros(tf.concat([[rows], tf.shape(tensor)[1:]], 0), tensor.dtype)
    longer = tf.concat([tensor, zeros], 0)
    return tf.ensure_shape(longer, [None, *tensor.shape[1:]])
