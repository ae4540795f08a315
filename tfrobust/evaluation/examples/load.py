"""Examples of whatever a caller has, in memory or read as they are needed."""

import os
import pathlib
from typing import cast

import numpy as np
import tensorflow as tf

from tfrobust import contract, data
from tfrobust.data.base_split import BaseSplit
from tfrobust.data.splits import Split, Splits
from tfrobust.data.stored.memory import LIMIT_GIB, count_gib
from tfrobust.data.stored.split import StoredSplit
from tfrobust.errors import UserError
from tfrobust.evaluation.examples.arrays import Examples
from tfrobust.evaluation.examples.chunk import count_rows
from tfrobust.evaluation.examples.of_origin import (
    follow_names,
    read_own_arrays,
    read_own_pictures,
)
from tfrobust.evaluation.examples.stored import Source, StoredExamples
from tfrobust.evaluation.examples.stream import StreamedExamples
from tfrobust.runs.origin import Origin, is_of_pictures

SPLITS = ("test", "validation", "train")

AnyExamples = Examples | StoredExamples | StreamedExamples


def as_examples(
    given: AnyExamples | tuple | tf.data.Dataset | Source, chunk: int | str = "auto"
) -> AnyExamples:
    """Examples of whatever a caller of `evaluate` has.

    Args:
        given: `Examples`; a pair of images and labels; a batched, finite `tf.data.Dataset` of pairs, or
            of (images, labels, weights) whose weights are 1, or 0 for examples that do not count; or a
            `data.Split`, a `data.StoredSplit` or another `Source`.
        chunk: the most examples that are held at once; a data set of no more is read into memory.

    Raises:
        UserError: for anything else, and for what `Examples.of` refuses.
    """
    if isinstance(given, (Examples, StoredExamples, StreamedExamples)):
        return given
    if isinstance(given, tf.data.Dataset):
        return _of_dataset(contract.as_pairs(given), chunk)
    if isinstance(given, (tuple, list)) and len(given) == 2:
        return Examples.of(*given)
    if isinstance(given, BaseSplit):
        return _of_split(given, "split")
    if callable(getattr(given, "read", None)) and callable(getattr(given, "__len__", None)):
        return StoredExamples.of(cast(Source, given))
    raise UserError(
        "`examples` must be a pair of images and labels, a batched tf.data.Dataset of such pairs, "
        "`Examples`, or a source with `__len__` and `read(places)`. "
        f"Received: {type(given).__name__}."
    )


def _of_split(split, name):
    if isinstance(split, Split):
        return Examples.of(split.images, split.labels, split.ids, name)
    return StoredExamples.of(split, name)


def _of_dataset(dataset, chunk):
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError(
            "An evaluation needs a finite data set. Leave out `repeat`, or `take` some batches."
        )
    batches = (_drop_unweighted(*map(np.asarray, batch)) for batch in dataset)
    parts: list = []
    for images, labels in batches:
        parts.append((images, labels))
        if sum(len(some) for _, some in parts) > count_rows(images.shape[1:], chunk):
            return StreamedExamples(_join(parts), batches)
    if not parts:
        raise UserError("The data set is empty. Give at least one image.")
    return _join(parts)


def _join(parts):
    images, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Examples.of(images, labels, name="data set")


def _drop_unweighted(images, labels, weights=None):
    if weights is None:
        return images, labels
    if not np.isin(weights, (0, 1)).all():
        raise UserError(
            "An evaluation counts examples: weights must be 0 or 1. Received: weights from "
            f"{weights.min():g} to {weights.max():g}."
        )
    return images[weights > 0], labels[weights > 0]


def load_examples(
    source: Splits | str | os.PathLike, split: str = "test", origin: Origin | None = None
) -> Examples | StoredExamples:
    """Loads examples by name.

    Args:
        source: `data.Splits`; "digits"; the name of a TFDS set that is prepared (see `data.tfds_images`); the
            path of an .npz file with `x_test` and `y_test` (or `images` and `labels`), of a folder with one
            folder of pictures for each class, or of a CSV file as `data.image_list` reads it.
        split: "test", "validation" or "train". Pictures that do not say it belong to every split, but those
            on which the classifier was trained to the split of the training.
        origin: what is known of the classifier that they are for, `Subject.of(...).origin`: the size of its
            images, and the names of its classes, by which those of the data are matched.

    Returns:
        `Examples`, or `StoredExamples` of images that do not fit into memory; `load()` puts them there.

    Raises:
        UserError: there is no such source or split, or a class is none of the classifier's.

    Example:
    >>> digits = tfrobust.evaluation.load_examples("digits")
    >>> digits.x.shape, digits.name
    ((360, 8, 8, 1), 'digits test')
    """
    if split not in SPLITS:
        raise UserError(f"`split` must be one of {SPLITS}. Received: {split!r}.")
    origin = Origin() if origin is None else origin
    if isinstance(source, Splits):
        found = follow_names(getattr(source, split), source.info.class_names, origin)
        return _of_split(found, f"{source.info.name} {split}")
    if source == "digits":
        return load_examples(data.digits(), split, origin)
    path = pathlib.Path(source)
    if path.suffix == ".npz":
        return _of_split(*read_own_arrays(path, split, origin))
    if is_of_pictures(source):
        found = read_own_pictures(path, split, origin)
        fits = (
            isinstance(found, StoredSplit) and count_gib(len(found), found.image_shape) <= LIMIT_GIB
        )
        found = found.load() if fits else found
        return _of_split(found, f"{path.name} {split}")
    return load_examples(data.tfds_images(str(source)), split, origin)
