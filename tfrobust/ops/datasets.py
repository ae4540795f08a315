"""Options of tf.data pipelines that hold for all of them."""

import os
from typing import Any

import tensorflow as tf

# In place of tf.data.AUTOTUNE, which needs the thread that `without_autotune` removes.
PARALLEL_CALLS = min(os.cpu_count() or 1, 16)
PREFETCHED = 2


def without_autotune(dataset: tf.data.Dataset | Any) -> tf.data.Dataset | Any:
    """Returns a dataset of the same elements in the same order, without tf.data's autotune thread.

    An iterator that is deleted waits for that thread, whose sleep doubles each time: a loop over a
    dataset can take up to twice as long as its own work. Where the pipeline has `tf.data.AUTOTUNE`,
    TensorFlow then runs as many calls in parallel as it has threads, at most 16.

    Args:
        dataset: `tf.data.Dataset`. One whose options say whether to autotune is returned as it is,
            and so is whatever else Keras accepts (arrays, tensors, generators).

    Returns:
        The dataset.

    Example:
    >>> batches = without_autotune(tf.data.Dataset.range(4).batch(2))
    >>> batches.options().autotune.enabled
    False
    """
    if not isinstance(dataset, tf.data.Dataset) or dataset.options().autotune.enabled is not None:
        return dataset
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
