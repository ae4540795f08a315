"""What a split of a data set is, wherever its images are."""

import abc
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from tfrobust.data import order


class Batch(NamedTuple):
    """Which examples of a split are read together.

    Args:
        places: (b,) integers, the examples' places in the split.
        key: (seed, epoch) of what is drawn while an example is read, such as a random crop; None for
            nothing, as in evaluation.
    """

    places: np.ndarray
    key: tuple[int, int] | None = None


class BaseSplit(abc.ABC):
    """Images, labels and ids of which the pipeline makes batches.

    `Split` holds its images in memory, `StoredSplit` reads them where they are needed. Whatever is written
    in terms of this class is the same for both: the order of an epoch, augmentation, validation that is
    held out.

    Example:
        >>> isinstance(tfrobust.data.digits().train, tfrobust.data.BaseSplit)
        True
    """

    ids: np.ndarray
    """(n,) int64: the position of each example in its source."""

    labels: np.ndarray | None
    """(n,) int64; None where they are known only once the examples are read."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    @abc.abstractmethod
    def image_shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""

    @property
    @abc.abstractmethod
    def dtype(self) -> np.dtype:
        """uint8 for 0..255, or float32 for [0, 1]."""

    @property
    @abc.abstractmethod
    def storage(self) -> str:
        """Where the images are, in a few words for the plan of a run."""

    @property
    def nbytes(self) -> int:
        """Bytes that the images take in memory, decoded."""
        return len(self) * int(np.prod(self.image_shape)) * self.dtype.itemsize

    @abc.abstractmethod
    def take(self, places: np.ndarray) -> Self:
        """Returns a split of the examples at `places`, integers or a boolean mask, in that order."""

    @abc.abstractmethod
    def stream(self, batches: Sequence[Batch]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields images (b, h, w, c) and labels (b,) of each batch, in order.

        Nothing but these batches is read. All of them have the same number of examples.
        """

    @abc.abstractmethod
    def load(self) -> Any:
        """Returns a `Split` of the same examples, with all images in memory."""

    @abc.abstractmethod
    def update_digest(self, digest: Any, limit: int) -> None:
        """Adds to a hash what tells these images from others, reading at most `limit` bytes of them."""

    def read(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the images (b, h, w, c) and labels (b,) at `places`, as evaluation sees them."""
        return next(iter(self.stream([Batch(np.asarray(places))])))

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
