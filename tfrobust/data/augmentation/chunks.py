"""Batches in chunks that stay in the processor's cache."""

from collections.abc import Iterator

import numpy as np

# Larger arrays are fetched from the system at each call, page by page, which costs more than the work.
_BYTES = 2**16


def cut_batch(images: np.ndarray) -> Iterator[slice]:
    """Cuts a batch into chunks, for transforms that need other arrays beside it.

    Args:
        images: (b, h, w, c).

    Yields:
        Slices of the first axis, of at least one image each.

    Example:
        >>> [(part.start, part.stop) for part in cut_batch(np.zeros((40, 32, 32, 3), np.uint8))]
        [(0, 21), (21, 42)]
    """
    size = max(1, _BYTES // max(1, images[:1].nbytes))
    for start in range(0, len(images), size):
        yield slice(start, start + size)
