"""Examples that are read where they are needed."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from tfrobust import contract
from tfrobust.data.base_split import BaseSplit
from tfrobust.errors import UserError
from tfrobust.evaluation.examples.arrays import Examples
from tfrobust.evaluation.examples.chunk import Chunk, cut_evenly

# Bytes of images that are read to tell one source from another.
_DIGESTED = 2**26


class Source(Protocol):
    """Images that are read by their places, such as a `data.StoredSplit`, or a class of your own.

    Results are keyed by the places, unless it is a `data.BaseSplit`, which has ids.
    """

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def read(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images (m, h, w, c), uint8 or float in [0, 1], and integer labels (m,), at `places`."""
        ...


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StoredExamples:
    """Examples of a `Source`, of which an evaluation holds one chunk at a time.

    Args:
        source: `Source` or `data.BaseSplit`.
        places: int (n,), those of the source that count.
        ids: int (n,), all different.
        name: of the source, for reports.

    Example:
    >>> class Grey:
    ...     def __len__(self):
    ...         return 10**6
    ...     def read(self, places):
    ...         return np.full((len(places), 2, 2, 1), 0.5, "float32"), places % 3
    >>> examples = StoredExamples.of(Grey())
    >>> len(examples), examples.first(3).load().y.tolist(), examples.image_shape
    (1000000, [0, 1, 2], (2, 2, 1))
    """

    source: Source
    places: np.ndarray
    ids: np.ndarray
    name: str = "source"

    def __repr__(self) -> str:
        return f"StoredExamples({self.name}: {len(self)} images {self.image_shape})"

    @staticmethod
    def of(source: Source, name: str = "source") -> "StoredExamples":
        """All examples of a source.

        Raises:
            UserError: it is empty, or an id comes twice.
        """
        places = np.arange(len(source))
        ids = np.asarray(source.ids) if isinstance(source, BaseSplit) else places
        if not len(ids):
            raise UserError("The source is empty. Give at least one image.")
        if len(np.unique(ids)) < len(ids):
            raise UserError("`ids` must all be different: noise and results are keyed by them.")
        return StoredExamples(source, places, ids, name)

    def __len__(self) -> int:
        return len(self.ids)

    @functools.cached_property
    def image_shape(self) -> tuple[int, ...]:
        """(h, w, c)."""
        if isinstance(self.source, BaseSplit):
            return self.source.image_shape
        return self.first(1).load().image_shape

    @property
    def labels(self) -> np.ndarray | None:
        """Int (n,), or None where they are known only once the images are read."""
        labels = self.source.labels if isinstance(self.source, BaseSplit) else None
        return None if labels is None else labels[self.places]

    def shard(self, index: int, count: int) -> "StoredExamples":
        """Every `count`-th example from number `index` on, for one of several processes."""
        if not 0 <= index < count:
            raise UserError(f"A shard is i/n with 0 <= i < n. Received: {index}/{count}.")
        return self._at(slice(index, None, count))

    def first(self, number: int) -> "StoredExamples":
        """The first `number` examples."""
        return self._at(slice(0, number))

    def fits(self, rows: int) -> bool:
        """Whether there are at most so many."""
        return len(self) <= rows

    def head(self, number: int) -> Examples:
        """The first `number` examples, in memory, which the checks look at."""
        return self.first(number).load()

    def load(self) -> Examples:
        """All of them, in memory."""
        x, y = self._read(self.places)
        return Examples(x, y, self.ids, self.name)

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """The examples in order, in chunks of at most so many, read when they are asked for."""
        for number, part in enumerate(cut_evenly(len(self), rows)):
            yield Chunk(number, self.ids[part], functools.partial(self._read_part, part))

    def digest(self) -> str:
        """16 hexadecimal digits that tell these examples from others: ids, labels, and some of the images."""
        digest = hashlib.sha256(self.ids.tobytes())
        if isinstance(self.source, BaseSplit):
            self.source.take(self.places).update_digest(digest, _DIGESTED)
        else:
            digest.update(self.head(16).digest().encode())
        return digest.hexdigest()[:16]

    def _read(self, places):
        images, labels = self.source.read(places)
        return contract.as_images(images).numpy(), contract.check_labels(labels)

    def _read_part(self, part):
        return self._read(self.places[part])

    def _at(self, part):
        places = self.places[part]
        if not len(places):
            raise UserError(f"No examples are left of the {len(self)}: use fewer shards.")
        return dataclasses.replace(self, places=places, ids=self.ids[part])
