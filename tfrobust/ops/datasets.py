"""Options of tf.data pipelines that hold for all of them."""

import os
from typing import Any

import tensorflow as tf

# In place of tf.data.AUTOTUNE, which needs the thread that `without_autotune` does away with.
PARALLEL_CALLS = min(os.cpu_count() or 1, 16)
PREFETCHED = 2


def without_autotune(dataset: tf.data.Dataset | Any) -> tf.data.Dataset | Any:
    """Returns a dataset of the same elements in the same order, without tf.data's autotune thread.

    An iterator that goes waits for that thread, which sleeps twice as long each time: a loop over a
    dataset can take up to twice its own length. Where `tf.data.AUTOTUNE` stands in the pipeline,
    TensorFlow then takes as many calls as it has threads, 16 at most.

    Args:
      dataset: `tf.data.Dataset`. One whose options say whether to autotune is returned as it is,
        and so is what else Keras takes (arrays, tensors, generators).

    Returns:
      The dataset.

    Example:
      batches = without_autotune(tf.data.Dataset.from_tensor_slices((x, y)).batch(128))
    """
    if not isinstance(dataset, tf.data.Dataset) or dataset.options().autotune.enabled is not None:
        return dataset
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
