"""Examples of a data set that comes by once, and does not fit into memory."""

import hashlib
from collections.abc import Iterator

import numpy as np

from tfrobust.errors import UserError
from tfrobust.evaluation.examples.arrays import Examples
from tfrobust.evaluation.examples.chunk import Chunk

Batches = Iterator[tuple[np.ndarray, np.ndarray]]


class StreamedExamples:
    """Examples of an iterator of batches, of which an evaluation holds one chunk at a time.

    An example's id is its place in the stream. The whole stream is read again when an evaluation goes on
    after a kill, since nothing can be skipped.

    Args:
        held: `Examples`, the first ones, which have been read.
        batches: iterator of the rest: images (b, h, w, c), uint8 or float in [0, 1], and labels (b,).
        name: of the stream, for reports.
    """

    labels = None
    """They are known only once they come by, as are the ids, and how many there are."""
    ids = np.zeros(0, np.int64)

    def __init__(self, held: Examples, batches: Batches, name: str = "data set"):
        self._held, self.name = held, name
        self._batches: Batches | None = batches
        self.image_shape = held.image_shape

    def __len__(self) -> int:
        """0: it is not known."""
        return 0

    def fits(self, rows: int) -> bool:
        """False: otherwise it would have been read into memory."""
        return False

    def load(self) -> Examples:
        """Raises `UserError`: a stream is read chunk by chunk."""
        raise UserError("A stream does not fit into memory; take its first batches instead.")

    def head(self, number: int) -> Examples:
        """The first `number` examples, which the checks look at."""
        return self._held.first(number)

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """The examples in order, in chunks of so many; the last one may have fewer.

        Raises:
            UserError: they have come by before.
        """
        if self._batches is None:
            raise UserError("A stream can be evaluated once. Make it again from its data set.")
        batches, self._batches = self._batches, None
        number, first = 0, 0
        parts = [(self._held.x, self._held.y)]
        self._held = self._held.first(1)
        for batch in batches:
            while sum(len(y) for _, y in parts) >= rows:
                x, y = _join(parts)
                yield _make(number, first, x[:rows], y[:rows])
                number, first, parts = number + 1, first + rows, [(x[rows:], y[rows:])]
            some = Examples.of(*batch)
            parts.append((some.x, some.y))
        x, y = _join(parts)
        for start in range(0, len(y), rows):
            yield _make(number, first + start, x[start : start + rows], y[start : start + rows])
            number += 1

    def digest(self) -> str:
        """16 hexadecimal digits that tell the beginning from others."""
        return hashlib.sha256(f"stream {self._held.digest()}".encode()).hexdigest()[:16]


def _join(parts):
    return tuple(np.concatenate(values) for values in zip(*parts, strict=True))


def _make(number, first, x, y):
    ids = np.arange(first, first + len(y))
    return Chunk(number, ids, lambda: (x, y), Examples(x, y, ids).digest())
