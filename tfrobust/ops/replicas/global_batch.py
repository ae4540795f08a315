"""The batch of all replicas together: one device and two compute the same numbers."""

from typing import Any, NamedTuple

import tensorflow as tf

from tfrobust.ops.replicas.stand_in import mask_stand_in


class GlobalBatch(NamedTuple):
    """What a replica knows about the whole batch.

    Attributes:
        size: float32 scalar, examples on all replicas.
        offset: examples on the replicas before this one.
        replicas: Python int, how many replicas there are.
        local: float32 scalar, examples on this replica.
    """

    size: tf.Tensor
    offset: int | tf.Tensor
    replicas: int
    local: tf.Tensor


def global_batch(x: tf.Tensor) -> GlobalBatch:
    """Counts the examples of `x` over all replicas. Call it in a replica, outside loops and conditions."""
    context = tf.distribute.get_replica_context()
    replicas = 1 if context is None else context.num_replicas_in_sync
    local = tf.cast(tf.shape(x)[0], tf.float32)
    if replicas == 1:
        return GlobalBatch(local, 0, 1, local)
    local = mask_stand_in(local)
    replica = tf.convert_to_tensor(context.replica_id_in_sync_group)
    counts = tf.one_hot(replica, replicas) * local
    counts = context.all_reduce(tf.distribute.ReduceOp.SUM, counts)
    before = tf.range(replicas) < replica
    offset = tf.cast(tf.reduce_sum(tf.where(before, counts, 0.0)), tf.int32)
    return GlobalBatch(tf.reduce_sum(counts), offset, replicas, local)


def sum_over_replicas(tensors: Any) -> Any:
    """Sums tensors over the replicas; outside a replica and on one device they are returned unchanged."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensors
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)
