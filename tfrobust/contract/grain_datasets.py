"""Data sets of Grain, as data sets of TensorFlow."""

import itertools
import sys
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.datasets import read_in_python, without_autotune


def from_grain(dataset: Any) -> Any:
    """Returns a Grain data set as a `tf.data.Dataset` of the same batches; anything else as it is.

    Keras takes Grain's data sets too, but never knows how long they are: schedules would have no epochs,
    and the first epoch would count a step that finds no data.

    Args:
        dataset: `grain.MapDataset`, `grain.IterDataset` or `grain.DataLoader` of batches of NumPy arrays,
            such as (images, labels) or {"image": ..., "label": ...}; or anything else.

    Returns:
        `tf.data.Dataset`, whose length is known for a `MapDataset`.

    Raises:
        UserError: it has no elements, or elements that are not arrays.
    """
    grain = sys.modules.get("grain")
    if grain is None or not isinstance(
        dataset, (grain.MapDataset, grain.IterDataset, grain.DataLoader)
    ):
        return dataset
    first = next(itertools.islice(dataset, 1), None)
    if first is None:
        raise UserError("The data set of Grain is empty. Give at least one batch.")
    parts = tf.nest.flatten(_as_tuples(first))
    if not all(isinstance(part, (np.ndarray, np.generic)) for part in parts):
        raise UserError(
            "Batches of Grain must be NumPy arrays, in tuples or dictionaries. Received: "
            f"{', '.join(sorted({type(part).__name__ for part in parts}))}. Convert them with dataset.map."
        )
    signature = tf.nest.map_structure(_describe, _as_tuples(first))
    batches = read_in_python(lambda: map(_as_tuples, dataset), signature)
    if isinstance(dataset, grain.MapDataset):
        # What is repeated for ever says that it has so many.
        endless = len(dataset) >= sys.maxsize
        length = tf.data.INFINITE_CARDINALITY if endless else len(dataset)
        batches = batches.apply(tf.data.experimental.assert_cardinality(length))
    return without_autotune(batches.prefetch(2))


def _as_tuples(element):
    if isinstance(element, dict):
        return {name: _as_tuples(part) for name, part in element.items()}
    return tuple(map(_as_tuples, element)) if isinstance(element, (tuple, list)) else element


def _describe(array):
    # The last batch may be shorter.
    shape = array.shape if array.ndim == 0 else (None, *array.shape[1:])
    return tf.TensorSpec(shape, array.dtype)
