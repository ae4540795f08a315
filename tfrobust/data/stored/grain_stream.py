"""Reading the examples of batches in parallel and ahead of their use, by Grain."""

from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from absl import logging

from tfrobust.data.base_split import Batch
from tfrobust.ops.datasets import PARALLEL_CALLS

# Decoders leave Python's lock; twice as many threads as cores hide the waits for the disk.
READERS = min(2 * PARALLEL_CALLS, 16)
READ_AHEAD = 256


class _Examples:
    """A source of random access for Grain: element i is row i of all batches together."""

    def __init__(self, read, batches, rows):
        self.read, self.batches, self.rows = read, batches, rows

    def __len__(self):
        return len(self.batches) * self.rows

    def __getitem__(self, number: Any):
        batch, row = divmod(number, self.rows)
        places, key = self.batches[batch]
        image, label = self.read(int(places[row]), key)
        return image, np.int64(label)


def stream_examples(
    read: Callable[[int, tuple[int, int] | None], tuple[np.ndarray, int]],
    batches: Sequence[Batch],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields images and labels of each batch, in order, whatever thread was first.

    Args:
        read: function of a place and a key that returns an image and a label; called in several threads.
        batches: which examples to read; all of the same number.

    Returns:
        Iterator of (images, labels). Closing it ends the threads.
    """
    if not len(batches):
        return
    grain = import_grain()
    rows = len(batches[0].places)
    options = grain.ReadOptions(num_threads=READERS, prefetch_buffer_size=READ_AHEAD)
    dataset = grain.MapDataset.source(_Examples(read, batches, rows)).to_iter_dataset(options)
    iterator = iter(dataset.batch(rows))
    try:
        yield from iterator
    finally:
        iterator.close()


def import_grain() -> ModuleType:
    """Imports Grain, which only data that are read from files need, without its word about JAX."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        import grain
    finally:
        logging.set_verbosity(verbosity)
    return grain
