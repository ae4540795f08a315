"""The batches of a run by number: which examples batch i holds, at a cost that does not grow with i."""

import functools
import threading
from collections.abc import Sequence

import numpy as np

from tfrobust.data import order
from tfrobust.data.augmentation.soft_labels import draw_uniform
from tfrobust.data.base_split import BaseSplit, Batch


class TrainingBatches(Sequence[Batch]):
    """The batches of a run's epochs, from a step of an epoch on.

    Args:
        split: `BaseSplit` of the training examples.
        batch_size: global batch size.
        seed: seed of the run.
        epochs: number of epochs of the whole run.
        first_epoch, first_step: where to begin.
        part: (i, n), for worker i of n that each read their own rows of every batch; n divides the batch.

    Example:
        >>> split = tfrobust.data.Split(np.zeros((5, 2, 2, 1), np.uint8), np.array([0, 1, 0, 1, 1]))
        >>> batches = TrainingBatches(split, 2, seed=0, epochs=2, first_step=1)
        >>> len(batches), batches[0].places.tolist() == split.draw_batches(0, 0, 2)[1].tolist()
        (3, True)
    """

    def __init__(
        self,
        split: BaseSplit,
        batch_size: int,
        seed: int,
        epochs: int,
        first_epoch: int = 0,
        first_step: int = 0,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self.split, self.batch_size, self.seed = split, batch_size, seed
        self.steps = split.count_steps(batch_size)
        self.first = first_epoch * self.steps + (first_step if first_epoch < epochs else 0)
        self.last = epochs * self.steps
        rows = batch_size // part[1]
        self.rows = slice(part[0] * rows, (part[0] + 1) * rows)
        self._lock = threading.Lock()
        # Threads that read ahead are in two epochs at once.
        self._draw = functools.lru_cache(2)(
            lambda epoch: split.draw_batches(seed, epoch, batch_size)
        )

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, number):
        if not 0 <= number < len(self):
            raise IndexError(number)
        epoch, step = divmod(self.first + number, self.steps)
        with self._lock:
            places = self._draw(epoch)
        return Batch(places[step, self.rows], (self.seed, epoch))


class MixedBatches(Sequence[Batch]):
    """Batches whose first half is another's, and the rest a partner for each example: see `Mixing`.

    Args:
        batches: `TrainingBatches`.

    Example:
        >>> split = tfrobust.data.Split(np.zeros((5, 2, 2, 1), np.uint8), np.array([0, 1, 0, 1, 1]))
        >>> batches = TrainingBatches(split, 2, seed=0, epochs=2)
        >>> MixedBatches(batches)[0].places.shape
        (4,)
    """

    # Further draws of the same seeds are for the mixing itself.
    DRAWS = 5

    def __init__(self, batches: TrainingBatches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number):
        batch, split = self.batches[number], self.batches.split
        partners = (self.draw(batch)[:, 0] * len(split)).astype(np.int64)
        return batch._replace(places=np.concatenate([batch.places, partners]))

    def draw(self, batch: Batch) -> np.ndarray:
        """Uniform numbers, (b, DRAWS), of each example of a batch that is not mixed yet."""
        ids = self.batches.split.ids[batch.places]
        seed, epoch = batch.key or (0, 0)
        key = order.draw_bits(seed, epoch, order.MIXING, 1).view(np.int64)[0]
        return draw_uniform(np.stack([np.full_like(ids, key), ids], axis=1), self.DRAWS)


class EvaluationBatches(Sequence[Batch]):
    """All examples in their order; the last batch is filled up with copies of the last example.

    Args:
        count: number of examples.
        batch_size: examples of a batch.

    Example:
        >>> [batch.places.tolist() for batch in EvaluationBatches(5, 2)]
        [[0, 1], [2, 3], [4, 4]]
    """

    def __init__(self, count: int, batch_size: int) -> None:
        self.examples, self.batch_size = count, batch_size

    def __len__(self) -> int:
        return -(-self.examples // self.batch_size)

    def __getitem__(self, number):
        if not 0 <= number < len(self):
            raise IndexError(number)
        return Batch(np.minimum(self.place(number), self.examples - 1))

    def place(self, number: int) -> np.ndarray:
        """(b,) places of a batch's rows, from `count` on for copies."""
        return np.arange(number * self.batch_size, (number + 1) * self.batch_size)
