"""Arrays given to `fit` and its kin, as the dataset that Keras makes of them, without the autotune thread."""

from typing import Any

import keras
import tensorflow as tf

from tfrobust.compat import array_data_adapter, array_slicing
from tfrobust.ops.datasets import without_autotune


def as_batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool | str = False,
    class_weight: dict[int, float] | None = None,
) -> dict[str, Any]:
    """Makes Keras's own batches of arrays, in the order and with the numbers that Keras would use.

    Args:
        x, y, sample_weight, batch_size, shuffle, class_weight: as for `keras.Model.fit`.
        steps: its `steps_per_epoch`.

    Returns:
        The arguments x, y, sample_weight, class_weight and shuffle in their place: a dataset for arrays.
    """
    if isinstance(x, tf.data.Dataset | tf.distribute.DistributedDataset):
        shuffle = False
    elif x is not None and array_data_adapter.can_convert_arrays((x, y, sample_weight)):
        adapter = array_data_adapter.ArrayDataAdapter(
            x, y, sample_weight, batch_size, steps, shuffle, class_weight
        )
        count = tf.data.experimental.assert_cardinality(adapter.num_batches)
        x = without_autotune(adapter.get_tf_dataset().apply(count))
        y = sample_weight = class_weight = None
        shuffle = False
    given = {"x": x, "y": y, "sample_weight": sample_weight}
    return given | {"class_weight": class_weight, "shuffle": shuffle}


def convert_ordered(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int | None
) -> tuple[Any, Any, Any]:
    """x, y and sample_weight as `as_batches` gives them, in their own order."""
    made = as_batches(x, y, sample_weight, batch_size, steps)
    return made["x"], made["y"], made["sample_weight"]


def convert_validation(data: Any, batch_size: int | None, steps: int | None) -> Any:
    """What `fit` takes as `validation_data`, its arrays as a dataset."""
    if data is None:
        return None
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    made = convert_ordered(x, y, sample_weight, batch_size, steps)
    return keras.utils.pack_x_y_sample_weight(*made)


def split_off_validation(arrays: tuple, validation_split: float, validation_data: Any) -> Any:
    """Cuts (x, y, sample_weight) for `fit` as Keras does: what to train on, and `validation_data`."""
    if not validation_split or validation_data is not None:
        return arrays, validation_data
    return array_slicing.train_validation_split(arrays, validation_split=validation_split)
