"""Examples in memory."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator

import numpy as np

from tfrobust import contract
from tfrobust.data.splits import Split
from tfrobust.errors import UserError
from tfrobust.evaluation.examples.chunk import Chunk, cut_evenly


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Examples:
    """Images, labels, and the places in their source by which noise and results are keyed.

    Args:
        x: float32 (n, h, w, c) in [0, 1].
        y: int (n,).
        ids: int (n,), all different.
        name: of the source, for reports.

    Example:
    >>> examples = tfrobust.evaluation.Examples.of(np.full((3, 8, 8, 1), 255, np.uint8), [0, 1, 2])
    >>> examples.x.dtype.name, float(examples.x.max()), examples.shard(1, 2).ids.tolist()
    ('float32', 1.0, [1])
    """

    x: np.ndarray
    y: np.ndarray
    ids: np.ndarray
    name: str = "arrays"

    def __repr__(self) -> str:
        return f"Examples({self.name}: {len(self)} images {self.image_shape})"

    @staticmethod
    def of(
        images: np.ndarray, labels: np.ndarray, ids: np.ndarray | None = None, name: str = "arrays"
    ) -> "Examples":
        """Checks images and labels, and makes `Examples` of them.

        Args:
            images: (n, h, w, c), uint8 in 0..255 or float in [0, 1]; values up to 1e-6 outside are clipped.
            labels: integers, (n,).
            ids: integers, (n,), all different; 0, 1, ... if None.
            name: of the source.

        Raises:
            UserError: says which array, which example, what was expected and what to do.
        """
        split = Split(images, labels) if ids is None else Split(images, labels, ids)
        places = np.asarray(split.ids)
        if len(np.unique(places)) < len(split):
            raise UserError("`ids` must all be different: noise and results are keyed by them.")
        return Examples(contract.as_images(split.images).numpy(), split.labels, places, name)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(h, w, c)."""
        return self.x.shape[1:]

    @property
    def labels(self) -> np.ndarray:
        """Int (n,): those that are known before the images are read, here all."""
        return self.y

    def shard(self, index: int, count: int) -> "Examples":
        """Every `count`-th example from number `index` on, for one of several processes."""
        if not 0 <= index < count:
            raise UserError(f"A shard is i/n with 0 <= i < n. Received: {index}/{count}.")
        return self._at(np.arange(index, len(self.y), count))

    def first(self, number: int) -> "Examples":
        """The first `number` examples."""
        return self._at(np.arange(min(number, len(self.y))))

    def fits(self, rows: int) -> bool:
        """Whether there are at most so many."""
        return len(self) <= rows

    def head(self, number: int) -> "Examples":
        """What the checks look at: all that is in memory anyway."""
        return self

    def load(self) -> "Examples":
        """The same, which is in memory."""
        return self

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """The examples in order, in chunks of at most so many."""
        for number, part in enumerate(cut_evenly(len(self), rows)):
            yield Chunk(number, self.ids[part], functools.partial(self._read_part, part))

    def digest(self) -> str:
        """16 hexadecimal digits that tell these examples from others."""
        digest = hashlib.sha256()
        for array in (self.x, self.y, self.ids):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def _read_part(self, part):
        return self.x[part], self.y[part]

    def _at(self, places):
        if not len(places):
            raise UserError(f"No examples are left of the {len(self.y)}: use fewer shards.")
        return Examples(self.x[places], self.y[places], self.ids[places], self.name)
