"""Images and labels, cut into train, validation and test."""

import dataclasses
import json
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfrobust.contract import check_images, check_labels
from tfrobust.data.base_split import BaseSplit, Batch
from tfrobust.errors import UserError
from tfrobust.spec import Spec


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split(BaseSplit):
    """Images, their labels and their ids.

    Use it for data that you read yourself, and give it to `training_dataset` or `evaluation_dataset`.

    Args:
        images: (n, h, w, c), uint8 in 0..255 or float in [0, 1].
        labels: (n,) integers from 0.
        ids: (n,) integers: the position of each example in its source. The random numbers of
            augmentation depend on it, and so not on how the source was split. Default: 0, 1, ...

    Raises:
        UserError: the arrays have different lengths, or are outside of these ranges.

    Example:
        >>> tfrobust.data.Split(np.zeros((5, 8, 8, 1), np.uint8), np.array([0, 1, 0, 1, 1]))
        Split(5 images (8, 8, 1) uint8)
    """

    images: np.ndarray
    labels: np.ndarray
    # None stands for 0, 1, ... in the constructor only.
    ids: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self):
        images, labels = check_images(self.images), check_labels(self.labels)
        ids = np.asarray(np.arange(len(images)) if self.ids is None else self.ids)
        if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
            raise UserError(
                f"`ids` must be one integer for each image. Received: shape {ids.shape}, dtype {ids.dtype}."
            )
        for name, values in (("labels", labels), ("ids", ids)):
            if len(values) != len(images):
                raise UserError(
                    f"There are {len(images)} images and {len(values)} {name}: give one for each image."
                )
        for name, value in (("images", images), ("labels", labels), ("ids", ids.astype(np.int64))):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"Split({len(self)} images {self.image_shape} {self.dtype})"

    @property
    def image_shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.images.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self.images.dtype

    @property
    def storage(self) -> str:
        return "in memory"

    def take(self, places: np.ndarray) -> "Split":
        return Split(self.images[places], self.labels[places], self.ids[places])

    def stream(self, batches: Sequence[Batch]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number in range(len(batches)):
            places = batches[number].places
            yield self.images[places], self.labels[places]

    def load(self) -> "Split":
        return self

    def update_digest(self, digest: Any, limit: int) -> None:
        """Adds all labels, ids and shapes, and every n-th image, with the least n that keeps to `limit`."""
        every = max(1, math.ceil(self.images.nbytes / limit))
        for array in (self.images[::every], self.labels, self.ids):
            digest.update(f"{array.dtype.name}{array.shape}".encode())
            for row in np.array_split(array, max(1, array.nbytes // 2**24)):
                digest.update(np.ascontiguousarray(row).data)
        digest.update(str(self.images.shape).encode())


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set apart from its examples.

    `make_splits` makes it; reports and checks of the configuration read it.

    Args:
        name: name of the data set, for reports.
        num_classes: number of classes k.
        class_names: k strings.
        image_shape: (height, width, channels).
        counts: number of examples in each split.
        augment: the usual augmentation in training; empty for none.
        source: the function of this room that read it, and its arguments, {"name": ..., "arguments":
            {...}}, as JSON values for `source.load_source`; None if they cannot be written as JSON.

    Example:
        >>> info = tfrobust.data.digits().info
        >>> info.name, info.num_classes, info.image_shape, info.counts["test"]
        ('digits', 10, (8, 8, 1), 360)
    """

    name: str
    num_classes: int
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    counts: dict[str, int]
    augment: tuple = ()
    source: dict | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """Training, validation and test split of one data set, checked against each other.

    Every source of `tfrobust.data` returns it, and `training.train` takes a function that returns it.

    Args:
        train: `Split` to train on, or `StoredSplit` for images that do not fit into memory; so the others.
        validation: `Split` by which epochs and settings are chosen.
        test: `Split` that is used once, at the end.
        info: `DatasetInfo`.

    Raises:
        UserError: the splits' images differ in shape, a label is out of range, or a class has no
            training example.

    Example:
        >>> splits = tfrobust.data.digits()
        >>> splits.train, len(splits.validation), len(splits.test)
        (Split(1077 images (8, 8, 1) float32), 360, 360)
    """

    train: BaseSplit
    validation: BaseSplit
    test: BaseSplit
    info: DatasetInfo

    def describe_storage(self) -> str:
        """Says where the images are, such as "in memory"."""
        stored: dict[str, list[str]] = {}
        for name in ("train", "validation", "test"):
            stored.setdefault(getattr(self, name).storage, []).append(name)
        if len(stored) == 1:
            return next(iter(stored))
        return "; ".join(f"{' and '.join(names)} {where}" for where, names in stored.items())

    def record_source(self, function: str, /, **arguments: Any) -> "Splits":
        """Returns these splits with the function of this room that read them, and its arguments.

        Arguments that cannot be written as JSON, such as arrays, leave `info.source` as it is.
        """
        try:
            arguments = json.loads(json.dumps(arguments, default=_plain))
        except TypeError:
            return self
        source = {"name": function, "arguments": arguments}
        return dataclasses.replace(self, info=dataclasses.replace(self.info, source=source))

    def __post_init__(self):
        for name in ("validation", "test"):
            shape = getattr(self, name).image_shape
            if shape != self.train.image_shape:
                raise UserError(
                    f"Images of the {name} split have shape {shape}, those of the train split "
                    f"{self.train.image_shape}: all must have the same shape. Resize or convert them."
                )
        for name in ("train", "validation", "test"):
            labels = getattr(self, name).labels
            if labels is not None:
                check_labels(labels, f"{name} labels", self.info.num_classes)
        if self.train.labels is None:
            return
        counts = np.bincount(self.train.labels, minlength=self.info.num_classes)
        if not counts.all():
            absent = int(np.argmin(counts))
            raise UserError(
                f"Class {absent} of {self.info.num_classes} ({self.info.class_names[absent]!r}) "
                "has no training example: every class needs one. Add examples, or renumber the "
                "classes without it."
            )


def _plain(value):
    if isinstance(value, Spec):
        return {"spec": type(value).__name__, **value.get_config()}
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value)  # TypeError for anything but a path
