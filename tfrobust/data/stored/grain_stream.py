"""Reading the examples of batches in parallel and ahead of their use, by Grain."""

from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from absl import logging

from tfrobust.data.base_split import Batch
from tfrobust.ops.datasets import PARALLEL_CALLS

# One for each core: decoders leave Python's lock, and more threads wait for it longer than for the disk.
READERS = max(2, PARALLEL_CALLS)
READ_AHEAD = 256
# Examples that a thread reads before it looks for its next task, which costs as much as a small picture.
FEW = 8


class _Rows:
    """A source of random access for Grain: element i is the i-th few rows of all batches together."""

    def __init__(self, read, batches, rows, few):
        self.read, self.batches, self.few = read, batches, few
        self.parts = rows // few

    def __len__(self):
        return len(self.batches) * self.parts

    def __getitem__(self, number: Any):
        batch, part = divmod(number, self.parts)
        places, key = self.batches[batch]
        places = places[part * self.few : (part + 1) * self.few]
        images, labels = zip(*(self.read(int(place), key) for place in places), strict=True)
        return np.stack(images), np.array(labels, np.int64)


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
    few = next(few for few in range(min(FEW, rows), 0, -1) if rows % few == 0)
    options = grain.ReadOptions(num_threads=READERS, prefetch_buffer_size=READ_AHEAD // few)
    dataset = grain.MapDataset.source(_Rows(read, batches, rows, few)).to_iter_dataset(options)
    iterator = iter(dataset.batch(rows // few, batch_fn=_join))
    try:
        yield from iterator
    except RuntimeError as error:
        # When Python ends, its threads take no more work, and nobody waits for any.
        if "interpreter shutdown" not in str(error):
            raise
    finally:
        iterator.close()


def _join(parts):
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def import_grain() -> ModuleType:
    """Imports Grain, which only data that are read from files need, without its word about JAX."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        import grain
    finally:
        logging.set_verbosity(verbosity)
    return grain
