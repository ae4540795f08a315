"""All runs of an attack: a queue, and one or several streams of slots that it feeds."""

import concurrent.futures
import threading
from collections.abc import Callable, Mapping

import numpy as np

from tfrobust.evaluation.engine.scheduling.pool import ProgramPool
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import RunQueue, Work
from tfrobust.evaluation.engine.scheduling.slots import Slots


class SlotSchedule:
    """Gives the runs of all examples to slots, one after the other, see `RunQueue`.

    Args:
        program: `Program`, of the rows of one stream.
        work: `Work`.
        num_classes: k.
        scale: of the radius.
        pool: `ProgramPool` of the same attack, from which smaller programs are taken when it pays; None to
            stay with `program`.
        streams: threads, each of which runs the program on rows of its own. The result does not depend on
            them.
    """

    def __init__(
        self,
        program: Program,
        work: Work,
        num_classes: int,
        scale: float = 1.0,
        pool: ProgramPool | None = None,
        streams: int = 1,
    ):
        attack = program.attack
        self.queue = RunQueue(work, attack.runs(num_classes), attack.measures)
        self.streams = [Slots(program, self.queue, scale, pool) for _ in range(streams)]
        self._steps, self._ended = 8, threading.Event()

    @property
    def host(self) -> dict[str, np.ndarray]:
        """What was found so far, by example."""
        return self.queue.host

    def __call__(
        self, on_look: Callable[["SlotSchedule"], None] = lambda schedule: None
    ) -> dict[str, np.ndarray]:
        """Runs to the end. `on_look(self)` is called between ticks, by one stream at a time, and may raise.

        Returns:
            Dict of arrays: "broken", "broken_run", "lost_run" (the first in which the model gave no finite
            logits; -1 for none), "step", "forwards", "backwards", "images", the
            attack's measures (m,), and "counts" (4,).
        """
        for stream in self.streams:
            stream.steps = self._steps
        if len(self.streams) == 1:
            self._run(self.streams[0], on_look)
            return self.host
        # Filled and traced by this thread: the first one to be filled traces for all.
        busy = [stream for stream in self.streams if stream.refill()]
        for stream in busy[:1]:
            stream.program.rehearse(stream.bank, stream.scale)
        self._ended.clear()
        with concurrent.futures.ThreadPoolExecutor(max(1, len(busy))) as threads:
            futures = [threads.submit(self._run, stream, on_look) for stream in busy]
            try:
                concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_EXCEPTION)
            finally:
                # After an error, or an interrupt of this thread: the others stop after their ticks.
                self._ended.set()
        for future in futures:
            future.result()
        return self.host

    def _run(self, stream, on_look):
        lock = self.queue.lock
        while not self._ended.is_set():
            with lock:
                if not stream.refill():
                    return
            made = stream.tick()
            with lock:
                stream.harvest(*made)
                for each in self.streams:
                    each.free_useless()
                if self._ended.is_set():
                    return
                on_look(self)
                stream.shrink()

    @property
    def share(self) -> float:
        """How much of the queue is done, in [0, 1], for a progress bar; half of what is running counts."""
        running = sum(stream.occupied.sum() for stream in self.streams)
        total = self.queue.total
        return 1.0 if not total else (int(self.host["cursor"]) - running / 2) / total

    def snapshot(self) -> dict[str, np.ndarray]:
        """Returns all that is needed to continue later, with any number of streams, as a dict of arrays."""
        begun = [stream for stream in self.streams if stream.bank]
        banks = [stream.program.devices.join(stream.bank) for stream in begun]
        flat = {f"host/{name}": value for name, value in self.host.items()}
        seats = {"host/example": [s.example for s in begun], "host/run": [s.run for s in begun]}
        for part in ("rows", "state") if banks else ():
            for name in banks[0][part]:
                seats[f"{part}/{name}"] = [bank[part][name] for bank in banks]
        empty = {"host/example": np.zeros(0, int), "host/run": np.zeros(0, np.int32)}
        return flat | empty | {n: np.concatenate(values) for n, values in seats.items() if values}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continues from a `snapshot` of the same attack and work, whose busy rows fit into the slots."""
        parts: dict[str, dict] = {"host": {}, "rows": {}, "state": {}}
        for name, value in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        host = {name: np.array(value) for name, value in parts.pop("host").items()}
        example, run = host.pop("example"), host.pop("run")
        self.queue.host = host
        busy = np.flatnonzero(example >= 0)
        for number, stream in enumerate(self.streams):
            stream.seat(parts, busy[number :: len(self.streams)], example, run)
