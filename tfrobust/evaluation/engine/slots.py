"""Continuous batching: an attack runs on slots that are refilled as soon as their run is over."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfrobust.evaluation.engine.pool import ProgramPool
from tfrobust.evaluation.engine.program import Program

# Seconds between two looks of the host, which refills slots, shows progress and saves.
_LOOK = 0.5


def _add(former, value):
    return value if np.isnan(former) else former + value


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


class SlotSchedule:
    """Gives the runs of all examples to the slots of a program, one after the other.

    The queue goes through the examples' first runs, then their second ones, and so on. An example
    that is broken gets no further runs, and those of its runs that began later are ended. Runs that
    began before are finished: the result is the one of the first run that breaks an example, whatever
    the number of slots.

    Args:
        program: `Program`.
        work: `Work`.
        num_classes: k.
        scale: of the radius.
        pool: `ProgramPool` of the same attack, from which a smaller program is taken when it pays; None to
            stay with `program`.
    """

    def __init__(
        self,
        program: Program,
        work: Work,
        num_classes: int,
        scale: float = 1.0,
        pool: ProgramPool | None = None,
    ):
        self.program, self.work, self.scale, self.pool = program, work, scale, pool
        self.runs = program.attack.runs(num_classes)
        size, rows = len(work.y), program.rows
        self.host = {
            "example": np.full(rows, -1),
            "run": np.zeros(rows, np.int32),
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
            **{name: np.full(size, np.nan) for name in program.attack.measures},
        }
        self.bank: dict[str, Any] = {}
        self._steps = 8

    def __call__(
        self, on_look: Callable[["SlotSchedule"], None] = lambda schedule: None
    ) -> dict[str, np.ndarray]:
        """Runs to the end. `on_look(self)` is called between ticks, and may raise to stop.

        Returns:
            Dict of arrays: "broken", "broken_run", "lost_run" (the first in which the model gave no finite
            logits; -1 for none), "step", "forwards", "backwards", "images", the
            attack's measures (m,), and "counts" (4,).
        """
        while self._refill():
            began, traced = time.perf_counter(), self.program.tracing_seconds
            patience = self.program.rows // 16 if self._is_waiting else self.program.rows
            self.bank, made = self.program.tick(self.bank, self._steps, patience, self.scale)
            counts = np.array(self.program.devices.join(made))
            self.host["counts"] += counts
            self._harvest()
            steps = max(1, counts[1] // self.program.rows)
            tracing = self.program.tracing_seconds - traced
            pace = (time.perf_counter() - began - tracing) / steps
            self._steps = int(np.clip(_LOOK / pace, 1, min(4 * self._steps, 1000)))
            on_look(self)
            self._shrink(pace)
        return self.host

    @property
    def share(self) -> float:
        """How much of the queue is done, in [0, 1], for a progress bar; half of what is running counts."""
        total = self.runs * len(self.work.y)
        return 1.0 if not total else (int(self.host["cursor"]) - self._occupied.sum() / 2) / total

    @property
    def _is_waiting(self):
        return self.host["cursor"] < self.runs * len(self.work.y)

    @property
    def _occupied(self):
        return self.host["example"] >= 0

    def _refill(self):
        """Gives free rows their next runs. False when there is nothing left to do."""
        host = self.host
        free = np.flatnonzero(~self._occupied)
        taken = []
        while len(taken) < len(free) and host["cursor"] < self.runs * len(self.work.y):
            run, example = divmod(int(host["cursor"]), len(self.work.y))
            host["cursor"] += 1
            if not host["broken"][example]:
                row = free[len(taken)]
                host["example"][row], host["run"][row] = example, run
                taken.append(row)
        if not self._occupied.any():
            return False
        take = np.zeros(self.program.rows, bool)
        take[taken] = True
        if not self.bank:
            self.bank = self.program.open(self._incoming(), ~take, self.scale)
        elif taken or not self._occupied.all():
            idle = ~self._occupied
            self.bank = self.program.fill(self.bank, self._incoming(), take, idle, self.scale)
        return True

    def _incoming(self):
        places = np.maximum(self.host["example"], 0)
        work = self.work
        return {
            "x": work.x[places],
            "y": work.y[places],
            "logits": work.logits[places],
            "seeds": work.seeds[places],
            "run": self.host["run"],
        }

    def _harvest(self):
        """Records what finished rows found, and frees them."""
        host, state = self.host, self.bank["state"]
        names = (
            "done",
            "broken",
            "index",
            "forwards",
            "backwards",
            "unanswered",
            *self.program.attack.measures,
        )
        found = self.program.devices.join({name: state[name] for name in names})
        finished = np.flatnonzero(found["done"] & self._occupied)
        if not len(finished):
            return
        examples = host["example"][finished]
        for name in ("forwards", "backwards"):
            np.add.at(host[name], examples, found[name][finished])
        for name in self.program.attack.measures:
            # Over an example's runs: the smallest distance, all queries.
            combine = np.fmin if name == "distance" else _add
            for example, value in zip(examples, found[name][finished], strict=True):
                host[name][example] = combine(host[name][example], value)
        winners = finished[found["broken"][finished]]
        lost = finished[(found["unanswered"] > 0)[finished] & ~found["broken"][finished]]
        if len(winners) or len(lost):
            images = self.program.devices.join(state["adversarial"])
            for row in lost:
                example, run = host["example"][row], host["run"][row]
                first = host["lost_run"][example] < 0 or run < host["lost_run"][example]
                if first and not host["broken"][example]:
                    host["lost_run"][example], host["images"][example] = run, images[row]
            for row in winners:
                example, run = host["example"][row], host["run"][row]
                if not host["broken"][example] or run < host["broken_run"][example]:
                    host["broken"][example], host["broken_run"][example] = True, run
                    host["step"][example] = found["index"][row]
                    host["images"][example] = images[row]
        host["example"][finished] = -1
        # A later run of a broken example is of no use; an earlier one may still be the first.
        rows = np.flatnonzero(self._occupied)
        example = host["example"][rows]
        useless = host["broken"][example] & (host["run"][rows] > host["broken_run"][example])
        host["example"][rows[useless]] = -1

    def _shrink(self, pace):
        """Goes on with fewer rows where that pays; `pace` is the time of a step of the present ones."""
        busy = np.flatnonzero(self._occupied)
        if self.pool is None or self._is_waiting or not len(busy):
            return
        made = self.program.devices.join(self.bank["state"]["index"])[busy]
        steps = self.program.attack.num_steps
        # Who does not know how long it takes is expected to take as long again.
        left = made.max() if steps is None else steps - made.min()
        program = self.pool.shrink(self.program, len(busy), float(max(left, 0)) * pace)
        if program is not self.program:
            bank, self.program = self.program.devices.join(self.bank), program
            self._seat(bank)

    def _seat(self, bank):
        """Puts the occupied rows of `bank`, arrays, on the first rows of the program."""
        busy, rows = np.flatnonzero(self._occupied), self.program.rows
        chosen = np.zeros(rows, int)
        chosen[: len(busy)] = busy
        for name in ("example", "run"):
            self.host[name] = self.host[name][chosen]
        # The others are empty: they repeat a row until they are filled.
        self.host["example"][len(busy) :] = -1
        self.bank = {
            part: self.program.devices.split({name: v[chosen] for name, v in values.items()})
            for part, values in bank.items()
        }

    def snapshot(self) -> dict[str, np.ndarray]:
        """Returns all that is needed to continue later, as a dict of arrays."""
        bank = self.program.devices.join(self.bank)
        flat = {f"host/{name}": value for name, value in self.host.items()}
        for part in ("rows", "state"):
            flat |= {f"{part}/{name}": value for name, value in bank.get(part, {}).items()}
        return flat

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continues from a `snapshot` of the same attack and work, whose busy rows fit into the program."""
        parts: dict[str, dict] = {"host": {}, "rows": {}, "state": {}}
        for name, value in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        self.host = {name: np.array(value) for name, value in parts["host"].items()}
        self._seat({"rows": parts["rows"], "state": parts["state"]})
