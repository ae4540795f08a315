"""Images and labels in memory, cut into train, validation and test."""

import dataclasses
import json
import os

import numpy as np

from tfrobust.contract import check_images, check_labels
from tfrobust.data import order
from tfrobust.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images, their labels and their identities.

    Args:
      images: (n, h, w, c), uint8 in 0..255 or float in [0, 1].
      labels: (n,) integers from 0.
      ids: (n,) integers: an example's place in its source. Augmentation is keyed by it, so that it
        does not depend on how the source was cut. Default: 0, 1, ...

    Raises:
      UserError: the arrays do not fit each other or these ranges.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: np.ndarray | None = None

    def __post_init__(self):
        images, labels = check_images(self.images), check_labels(self.labels)
        ids = np.asarray(np.arange(len(images)) if self.ids is None else self.ids)
        if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
            raise UserError(
                f"`ids` has shape {ids.shape} and dtype {ids.dtype}: give one integer per image."
            )
        for name, values in (("labels", labels), ("ids", ids)):
            if len(values) != len(images):
                raise UserError(
                    f"{len(images)} images came with {len(values)} {name}: give exactly one each."
                )
        for name, value in (("images", images), ("labels", labels), ("ids", ids.astype(np.int64))):
            object.__setattr__(self, name, value)

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        return f"Split({len(self)} images {self.image_shape} {self.images.dtype})"

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return tuple(int(n) for n in self.images.shape[1:])

    def steps(self, batch_size):
        """Full batches of an epoch."""
        return len(self) // batch_size

    def places(self, seed, epoch, batch_size):
        """The examples of an epoch's batches, places (steps, batch_size), a function of (seed, epoch)."""
        places = order.permutation(len(self), seed, epoch)
        return places[: self.steps(batch_size) * batch_size].reshape(-1, batch_size)

    def take(self, places):
        """Returns the split that holds the examples at `places`, in that order."""
        return Split(self.images[places], self.labels[places], self.ids[places])


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set apart from its pixels.

    Args:
      name: what the source calls it.
      num_classes: number of classes k.
      class_names: k strings.
      image_shape: (height, width, channels).
      counts: number of examples per split, as they are here.
      augment: the augmentation that is customary in training; empty where none is.
      source: where it comes from, {"name": ..., "arguments": {...}} of JSON values, for
        `source.load_source`; None if a file cannot say so.
    """

    name: str
    num_classes: int
    class_names: tuple
    image_shape: tuple
    counts: dict
    augment: tuple = ()
    source: dict | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """Train, validation and test split of one data set, checked against each other.

    Raises:
      UserError: the splits' images differ in shape, a label is out of range, or a class has no
        training example.
    """

    train: Split
    validation: Split
    test: Split
    info: DatasetInfo

    def read_by(self, function, /, **arguments):
        """The same with a note of the function of this room, and its arguments, that read it."""
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
                    f"{self.train.image_shape}: all must have one shape. Resize or convert them."
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
    return os.fspath(value)  # TypeError where it is none
