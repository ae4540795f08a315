"""A split whose images are read where they are needed."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfrobust.data import order
from tfrobust.data.base_split import BaseSplit, Batch
from tfrobust.data.batches import EvaluationBatches
from tfrobust.data.splits import Split
from tfrobust.data.stored.crops import Crop
from tfrobust.data.stored.grain_stream import stream_examples
from tfrobust.data.stored.reader import Reader
from tfrobust.errors import UserError

LOADED_AT_ONCE = 256


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StoredSplit(BaseSplit):
    """Images that a reader reads one by one, in parallel and ahead of their use.

    The sources of `tfrobust.data` make it of images that do not fit into memory. Order, augmentation and
    validation are those of a `Split` of the same images, to the last bit.

    Args:
        reader: `Reader` of the source.
        ids: (n,) integers: the positions in the source that belong to this split.
        labels: (n,) integers, or None if they are known only once an example is read.
        num_classes: labels that are read are below it; None if `labels` is given.
        reason: why the images are not in memory, in a few words for the plan of a run.

    Example:
        >>> x = np.arange(48, dtype=np.uint8).reshape(6, 2, 2, 2)[..., :1]
        >>> for name, array in {"x_train": x, "y_train": np.arange(6) % 2}.items():
        ...     np.save(name, array), np.save(name.replace("train", "test"), array)
        (None, None)
        (None, None)
        >>> splits = tfrobust.data.npy(".", validation=2, memory_limit_gib=0)
        >>> splits.train, splits.train.read([0])[0].shape
        (StoredSplit(4 images (2, 2, 1) uint8), (1, 2, 2, 1))
    """

    reader: Reader
    ids: np.ndarray
    labels: np.ndarray | None
    num_classes: int | None = None
    reason: str = ""

    def __repr__(self) -> str:
        return f"StoredSplit({len(self)} images {self.image_shape} {self.dtype})"

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.reader.image_shape

    @property
    def dtype(self) -> np.dtype:
        return self.reader.dtype

    @property
    def storage(self) -> str:
        return f"read from {self.reader.source}: {self.reason}"

    def take(self, places: np.ndarray) -> "StoredSplit":
        labels = None if self.labels is None else self.labels[places]
        return dataclasses.replace(self, ids=self.ids[places], labels=labels)

    def with_crop(self, crop: Crop) -> "StoredSplit":
        """Returns a split of the same examples that cuts other parts out of their pictures."""
        return dataclasses.replace(self, reader=self.reader.with_crop(crop))

    def stream(self, batches: Sequence[Batch]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return stream_examples(self.read_example, batches)

    def load(self) -> Split:
        images = np.empty((len(self), *self.image_shape), self.dtype)
        labels = np.empty(len(self), np.int64)
        batches = EvaluationBatches(len(self), min(len(self), LOADED_AT_ONCE))
        for number, (some_images, some_labels) in enumerate(self.stream(batches)):
            place = number * batches.batch_size
            count = min(batches.batch_size, len(self) - place)
            images[place : place + count] = some_images[:count]
            labels[place : place + count] = some_labels[:count]
        return Split(images, labels, self.ids)

    def update_digest(self, digest: Any, limit: int) -> None:
        """Adds all labels, ids and shapes, and what the reader adds of its source."""
        digest.update(f"{self.dtype}{self.image_shape}{len(self)}".encode())
        digest.update(self.ids.tobytes())
        digest.update(b"" if self.labels is None else self.labels.tobytes())
        self.reader.update_digest(digest, self.ids, limit)

    def read_example(self, place: int, key: tuple[int, int] | None) -> tuple[np.ndarray, int]:
        """Reads one example.

        Args:
            place: its place in this split.
            key: (seed, epoch) of random crops, or None for the central part.

        Returns:
            Its image (h, w, c) and its label.
        """
        position = int(self.ids[place])
        words = None
        if key is not None and self.reader.words:
            words = order.draw_bits(*key, order.CROP, self.reader.words, position)
        image, label = self.reader.read(position, words)
        if self.labels is not None:
            return image, int(self.labels[place])
        if label is None or not 0 <= label < (self.num_classes or 0):
            raise UserError(
                f"Example {position} of {self.reader.source} has the label {label}: labels must be from 0 to "
                f"{(self.num_classes or 0) - 1}. Correct the number of classes, or remove the example."
            )
        return image, label
