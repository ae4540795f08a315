"""The batch of all replicas together: one device and two compute the same numbers."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.replicas.stand_in import mask_stand_in

_thread = threading.local()


class GlobalBatch(NamedTuple):
    """What a replica knows about the whole batch.

    Attributes:
        size: float32 scalar, examples on all replicas.
        offset: examples on the replicas before this one.
        replicas: Python int, how many replicas there are.
        local: float32 scalar, examples on this replica.
        parts: in how many parts the whole batch is computed: the replicas, times the parts of each; a
            Python int, or a float32 scalar where a replica's batch is divided.
    """

    size: tf.Tensor
    offset: int | tf.Tensor
    replicas: int
    local: tf.Tensor
    parts: int | tf.Tensor = 1


@contextlib.contextmanager
def part_of(batch: GlobalBatch) -> Iterator[None]:
    """What is traced inside sees a part of this replica's batch: `global_batch` is `batch` there."""
    former, _thread.part = getattr(_thread, "part", None), batch
    try:
        yield
    finally:
        _thread.part = former


def global_batch(x: tf.Tensor) -> GlobalBatch:
    """Counts the examples of `x` over all replicas. Call it in a replica, outside loops and conditions."""
    part = getattr(_thread, "part", None)
    if part is not None:
        return part
    context = tf.distribute.get_replica_context()
    replicas = 1 if context is None else context.num_replicas_in_sync
    local = tf.cast(tf.shape(x)[0], tf.float32)
    if replicas == 1:
        return GlobalBatch(local, 0, 1, local, 1)
    local = mask_stand_in(local)
    replica = tf.convert_to_tensor(context.replica_id_in_sync_group)
    counts = tf.one_hot(replica, replicas) * local
    counts = context.all_reduce(tf.distribute.ReduceOp.SUM, counts)
    before = tf.range(replicas) < replica
    offset = tf.cast(tf.reduce_sum(tf.where(before, counts, 0.0)), tf.int32)
    return GlobalBatch(tf.reduce_sum(counts), offset, replicas, local, replicas)


def sum_over_replicas(tensors: Any) -> Any:
    """Sums tensors over the replicas; outside a replica and on one device they are returned unchanged.

    Raises:
        UserError: in a part of a batch, where the rest is not known.
    """
    if getattr(_thread, "part", None) is not None:
        raise UserError(
            "A sum over the global batch is not known while its parts are computed one after the other. "
            "Call compile with accumulation_steps=1."
        )
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensors
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)
