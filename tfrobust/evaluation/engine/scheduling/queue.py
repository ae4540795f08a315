"""The runs of an attack that wait for slots, and what those that are over found."""

import dataclasses
import threading
from collections.abc import Callable, Sequence

import numpy as np


@dataclasses.dataclass
class Work:
    """The examples that an attack is given, as arrays.

    Args:
        x: clean images, float32 (m, h, w, c).
        y: labels, int32 (m,).
        logits: of the model at the clean images, float32 (m, k).
        seeds: one for each example, int32 (m, 2).
    """

    x: np.ndarray
    y: np.ndarray
    logits: np.ndarray
    seeds: np.ndarray


class RunQueue:
    """Gives out the runs of all examples, one after the other, to any number of streams.

    The queue goes through the examples' first runs, then their second ones, and so on. An example
    that is broken gets no further runs, and those of its runs that began later are ended. Runs that
    began before are finished: the result is the one of the first run that breaks an example, whatever
    the number of slots and streams.

    Args:
        work: `Work`.
        runs: of an example.
        measures: names of what the attack measures.

    Attributes:
        host: dict of arrays, by example, with the queue's place and the counts of what was computed.
        lock: to be held while anything is taken or recorded.
    """

    def __init__(self, work: Work, runs: int, measures: Sequence[str]):
        self.work, self.runs, self.measures = work, runs, tuple(measures)
        self.lock = threading.RLock()
        size = len(work.y)
        self.host = {
            "broken": np.zeros(size, bool),
            "broken_run": np.full(size, -1, np.int32),
            "step": np.full(size, -1, np.int32),
            "forwards": np.zeros(size, np.int64),
            "backwards": np.zeros(size, np.int64),
            # Of what broke an example; of what was not answered where nothing did.
            "images": work.x.copy(),
            "lost_run": np.full(size, -1, np.int32),
            # Steps of working rows, rows times steps, forward passes, backward passes.
            "counts": np.zeros(4, np.int64),
            "cursor": np.zeros((), np.int64),
            **{name: np.full(size, np.nan) for name in self.measures},
        }

    @property
    def total(self) -> int:
        """All runs of all examples."""
        return self.runs * len(self.work.y)

    @property
    def is_waiting(self) -> bool:
        """Whether runs wait."""
        return bool(self.host["cursor"] < self.total)

    def take(self, count: int) -> list[tuple[int, int]]:
        """The next runs, at most `count`: pairs of an example and a run."""
        host = self.host
        taken: list[tuple[int, int]] = []
        while len(taken) < count and host["cursor"] < self.total:
            run, example = divmod(int(host["cursor"]), len(self.work.y))
            host["cursor"] += 1
            if not host["broken"][example]:
                taken.append((example, run))
        return taken

    def record(
        self,
        examples: np.ndarray,
        runs: np.ndarray,
        found: dict[str, np.ndarray],
        read_images: Callable[[], np.ndarray],
    ) -> None:
        """Notes what runs that are over found.

        Args:
            examples, runs: int (r,).
            found: arrays (r,) of the state at their end.
            read_images: function that returns their adversarial images, (r, h, w, c), if any count.
        """
        host = self.host
        for name in ("forwards", "backwards"):
            np.add.at(host[name], examples, found[name])
        for name in self.measures:
            # Over an example's runs: the smallest distance, all queries.
            combine = np.fmin if name == "distance" else _add
            for example, value in zip(examples, found[name], strict=True):
                host[name][example] = combine(host[name][example], value)
        lost = np.flatnonzero((found["unanswered"] > 0) & ~found["broken"])
        winners = np.flatnonzero(found["broken"])
        if not len(winners) and not len(lost):
            return
        images = read_images()
        for row in lost:
            example, run = examples[row], runs[row]
            first = host["lost_run"][example] < 0 or run < host["lost_run"][example]
            if first and not host["broken"][example]:
                host["lost_run"][example], host["images"][example] = run, images[row]
        for row in winners:
            example, run = examples[row], runs[row]
            if not host["broken"][example] or run < host["broken_run"][example]:
                host["broken"][example], host["broken_run"][example] = True, run
                host["step"][example] = found["index"][row]
                host["images"][example] = images[row]

    def find_useless(self, examples: np.ndarray, runs: np.ndarray) -> np.ndarray:
        """Which runs change nothing: later ones of a broken example; an earlier one may be the first."""
        return self.host["broken"][examples] & (runs > self.host["broken_run"][examples])


def _add(former, value):
    return value if np.isnan(former) else former + value
