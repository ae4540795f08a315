"""Which rows of a global batch each replica of several processes gets."""

from typing import Any

import tensorflow as tf


def spans_processes(strategy: tf.distribute.Strategy) -> bool:
    """Whether the replicas of a strategy are on several workers, each a process of its own."""
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return several and strategy.num_replicas_in_sync > len(strategy.extended.worker_devices)


def split_batches(
    dataset: tf.data.Dataset, strategy: tf.distribute.Strategy, of_worker: bool = False
) -> tf.distribute.DistributedDataset:
    """Gives replica r of R the rows [r q, (r + 1) q) of each global batch of n rows, with q = ceil(n / R).

    That is how one process with several devices splits it, and by their places in the global batch rows
    have their random numbers. TensorFlow's own split of it over workers with several devices goes round.

    Args:
        dataset: of global batches, tensors or tuples of tensors, the same on all workers.
        strategy: one that `spans_processes`.
        of_worker: whether `dataset` has only the rows of this worker's replicas.
    """
    here = len(strategy.extended.worker_devices)
    replicas = here if of_worker else strategy.num_replicas_in_sync

    def split(context):
        first = 0 if of_worker else context.input_pipeline_id * here

        def cut(*batch):
            numbers = tf.data.Dataset.range(first, first + here)
            return numbers.map(lambda replica: _take_rows(batch, replica, replicas))

        options = tf.data.Options()
        options.deterministic = True
        options.autotune.enabled = False
        return dataset.flat_map(cut).prefetch(here).with_options(options)

    return strategy.distribute_datasets_from_function(split)


def _take_rows(batch: tuple[Any, ...], replica: tf.Tensor, replicas: int) -> Any:
    rows = tf.shape(batch[0], tf.int64)[0]
    share = -(-rows // replicas)
    start = tf.minimum(replica * share, rows)
    end = tf.minimum(start + share, rows)
    whole = batch[0].shape[0]
    known = None if whole is None or whole % replicas else whole // replicas
    taken = [tf.ensure_shape(t[start:end], (known, *t.shape[1:])) for t in batch]
    return tuple(taken) if len(taken) > 1 else taken[0]
