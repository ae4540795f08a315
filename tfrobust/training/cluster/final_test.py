"""The final test, its batches shared out among the workers."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.evaluation.accuracy import Judge, Measured, measure
from tfrobust.ops.datasets import without_autotune
from tfrobust.ops.replicas.workers import Workers


def measure_together(
    judge: Judge, dataset: tf.data.Dataset, on_batch: Any, workers: Workers
) -> Measured:
    """As `evaluation.accuracy.measure`, batch j by worker j mod n; every worker gets the whole result.

    Args:
        judge: the `Judge`.
        dataset: `tf.data.Dataset` of (x, y, sample_weight), the same on all workers.
        on_batch: called after every batch, and may raise to stop.
        workers: the `Workers`.
    """
    if workers.count == 1:
        return measure(judge, dataset, on_batch)
    own: list[dict[str, list[bool]]] = []
    for batch in dataset.shard(workers.count, workers.index):
        alone = without_autotune(tf.data.Dataset.from_tensors(batch))
        found = measure(judge, alone, on_batch)
        own.append({"clean": found.clean.tolist(), "robust": found.robust.tolist()})
    everyone = workers.exchange(own)
    batches = [
        everyone[number % workers.count][number // workers.count]
        for number in range(sum(map(len, everyone)))
    ]
    return Measured(
        *(
            np.array([flag for batch in batches for flag in batch[name]], bool)
            for name in ("clean", "robust")
        )
    )
