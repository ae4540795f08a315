"""Data sets of TensorFlow: batches of (images, labels)."""

from typing import Any

import keras
import tensorflow as tf

from tfrobust.contract.batch import check_image_shape
from tfrobust.contract.classifier import image_shape, num_classes
from tfrobust.contract.grain_datasets import from_grain
from tfrobust.contract.images import check_image_dtype
from tfrobust.contract.labels import check_label_spec
from tfrobust.errors import UserError

_DICTIONARY = {"image", "label"}


def as_pairs(dataset: Any, model: keras.Model | None = None, labels: bool = True) -> Any:
    """A batched data set of (x, y) or (x, y, sample_weight), looked at by the types of its elements.

    What its batches hold is looked at when they come.

    Args:
        dataset: `tf.data.Dataset` of tuples, or of dictionaries of "image" and "label" as TFDS gives
            them; or the same of Grain. Anything else is returned as it is.
        model: that is to see the images, or None.
        labels: whether they are needed; without, a data set of images only will do.

    Returns:
        The data set, its dictionaries as tuples.

    Raises:
        UserError: for a data set that is not batched, dtypes and shapes that cannot be those of images
            and labels, or missing labels.

    Example:
    >>> from tfrobust import contract
    >>> examples = {"image": np.zeros((4, 2, 2, 1), "uint8"), "label": np.arange(4)}
    >>> dataset = tf.data.Dataset.from_tensor_slices(examples).batch(2)
    >>> contract.as_pairs(dataset).element_spec[1].shape
    TensorShape([None])
    """
    dataset = from_grain(dataset)
    if not isinstance(dataset, tf.data.Dataset):
        return dataset
    spec = dataset.element_spec
    if isinstance(spec, dict) and set(spec) >= _DICTIONARY:
        dataset = dataset.map(lambda element: (element["image"], element["label"]))
        spec = dataset.element_spec
    parts = spec if isinstance(spec, tuple) else (spec,)
    if not all(isinstance(part, tf.TensorSpec) for part in parts) or not 1 <= len(parts) <= 3:
        raise UserError(
            "A data set gives (images, labels), (images, labels, weights), or dictionaries of 'image' and "
            f"'label'. Received: elements of {spec}. Choose them: dataset.map(lambda ...: (images, labels))."
        )
    images = parts[0]
    check_image_dtype(images.dtype)
    _check_batched(images, parts, model)
    if len(parts) > 1:
        check_label_spec(parts[1].dtype, parts[1].shape, num_classes(model))
    elif labels:
        raise UserError(
            f"A data set gives images and labels. Received: elements of {spec}, without labels."
        )
    return dataset


def _check_batched(images, parts, model):
    wanted = image_shape(model)
    if len(parts) > 1:
        rank = parts[1].shape.rank
        soft = parts[1].dtype.is_floating and images.shape.rank == 3
        single = rank == 0 or (rank == 1 and soft)
    else:
        single = wanted is not None and images.shape.is_compatible_with(wanted)
    if single:
        raise UserError(
            f"A data set must be batched. Received: single images of shape {images.shape}. Call "
            "dataset.batch(128)."
        )
    check_image_shape(images.shape, model)
