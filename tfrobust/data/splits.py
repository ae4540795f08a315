"""Images and labels in memory, cut into train, validation and test."""

import dataclasses
import json
import os
from typing import Any

import numpy as np

from tfrobust.contract import check_images, check_labels
from tfrobust.data import order
from tfrobust.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split:
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

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Split({len(self)} images {self.image_shape} {self.images.dtype})"

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""
        return tuple(int(n) for n in self.images.shape[1:])

    def count_steps(self, batch_size: int) -> int:
        """Returns the number of full batches in an epoch."""
        return len(self) // batch_size

    def draw_batches(self, seed: int, epoch: int, batch_size: int) -> np.ndarray:
        """Draws the examples of an epoch's batches, which depend on (seed, epoch) only.

        Args:
            seed: integer in [0, 2**62).
            epoch: number of the epoch, from 0.
            batch_size: global batch size.

        Returns:
            Places in this split, int64 (steps, batch_size).
        """
        places = order.draw_permutation(len(self), seed, epoch)
        return places[: self.count_steps(batch_size) * batch_size].reshape(-1, batch_size)

    def take(self, places: np.ndarray) -> "Split":
        """Returns a split of the examples at `places`, integers or a boolean mask, in that order."""
        return Split(self.images[places], self.labels[places], self.ids[places])


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
        train: `Split` to train on.
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

    train: Split
    validation: Split
    test: Split
    info: DatasetInfo

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
            check_labels(getattr(self, name).labels, f"{name} labels", self.info.num_classes)
        counts = np.bincount(self.train.labels, minlength=self.info.num_classes)
        if not counts.all():
            absent = int(np.argmin(counts))
            raise UserError(
                f"Class {absent} of {self.info.num_classes} ({self.info.class_names[absent]!r}) "
                "has no training example: every class needs one. Add examples, or renumber the "
                "classes without it."
            )


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value)  # TypeError for anything but a path
