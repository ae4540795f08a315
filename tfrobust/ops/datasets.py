"""Options of tf.data pipelines that hold for all of them."""

import atexit
import functools
import gc
import os
from collections.abc import Callable, Iterable
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


def read_in_python(make: Callable[[], Iterable], signature: Any) -> tf.data.Dataset:
    """`tf.data.Dataset.from_generator` whose iterators may be left half read at the end of a script.

    Such an iterator, of `next(iter(dataset))` say, calls Python once more when it goes. If Python has gone
    before it, TensorFlow complains, or waits. So they are let go first.

    Args:
        make: function without arguments that returns an iterable of the elements.
        signature: nest of `tf.TensorSpec` of an element.

    Example:
    >>> numbers = read_in_python(lambda: range(4), tf.TensorSpec((), tf.int64))
    >>> int(next(iter(numbers.skip(2))))
    2
    """
    _release_at_exit()
    return tf.data.Dataset.from_generator(make, output_signature=signature)


@functools.cache
def _release_at_exit():
    atexit.register(lambda: release_iterators(gc.get_objects()))


def release_iterators(objects: Iterable) -> None:
    """Ends all iterators of tf.data among some objects; they cannot be used any more."""
    for one in objects:
        # Not isinstance, which asks proxies what they stand for.
        if issubclass(type(one), tf.data.Iterator):
            # The last field first: the iterator itself goes before the dataset whose functions it calls.
            while vars(one):
                vars(one).popitem()
