"""Continuous batching: slots that are refilled as soon as their run is over."""

import time
from typing import Any

import numpy as np

from tfrobust.evaluation.engine.scheduling.pool import ProgramPool
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import RunQueue

# Seconds between two looks of the host, which refills slots, shows progress and saves.
LOOK = 0.5


class Slots:
    """The rows of one program, filled from a queue.

    Args:
        program: `Program`.
        queue: `RunQueue`; its lock is held by whoever calls anything but `tick`.
        scale: of the radius.
        pool: `ProgramPool` of the same attack, from which a smaller program is taken when it pays; None to
            stay with `program`.
    """

    def __init__(self, program: Program, queue: RunQueue, scale: float, pool: ProgramPool | None):
        self.program, self.queue, self.scale, self.pool = program, queue, scale, pool
        self.example = np.full(program.rows, -1)
        self.run = np.zeros(program.rows, np.int32)
        self.bank: dict[str, Any] = {}
        self.steps, self._pace = 8, 0.0

    @property
    def occupied(self) -> np.ndarray:
        """Which rows are at work, boolean (rows,)."""
        return self.example >= 0

    def refill(self) -> bool:
        """Gives free rows their next runs. False when there is nothing left to do."""
        free = np.flatnonzero(~self.occupied)
        taken = self.queue.take(len(free))
        rows = free[: len(taken)]
        if taken:
            self.example[rows], self.run[rows] = np.array(taken).T
        if not self.occupied.any():
            return False
        take = np.zeros(self.program.rows, bool)
        take[rows] = True
        if not self.bank:
            self.bank = self.program.open(self._incoming(), ~take, self.scale)
        elif taken or not self.occupied.all():
            idle = ~self.occupied
            self.bank = self.program.fill(self.bank, self._incoming(), take, idle, self.scale)
        return True

    def tick(self) -> tuple[dict[str, Any], np.ndarray]:
        """The rows some steps later, and counts: what the host takes over by `harvest`."""
        waiting, rows = self.queue.is_waiting, self.program.rows
        began, traced = time.perf_counter(), self.program.tracing_seconds
        patience = rows // 16 if waiting else rows
        bank, made = self.program.tick(self.bank, self.steps, patience, self.scale)
        counts = np.array(self.program.devices.join(made))
        tracing = self.program.tracing_seconds - traced
        self._pace = (time.perf_counter() - began - tracing) / max(1, counts[1] // rows)
        self.steps = int(np.clip(LOOK / self._pace, 1, min(4 * self.steps, 1000)))
        return bank, counts

    def harvest(self, bank: dict[str, Any], counts: np.ndarray) -> None:
        """Records what finished rows found, and frees them."""
        self.bank, queue = bank, self.queue
        queue.host["counts"] += counts
        state, join = bank["state"], self.program.devices.join
        names = ("done", "broken", "index", "forwards", "backwards", "unanswered", *queue.measures)
        found = join({name: state[name] for name in names})
        over = np.flatnonzero(found["done"] & self.occupied)
        if not len(over):
            return
        ended = {name: values[over] for name, values in found.items()}
        queue.record(
            self.example[over], self.run[over], ended, lambda: join(state["adversarial"])[over]
        )
        self.example[over] = -1

    def free_useless(self) -> None:
        """Frees rows whose examples other rows broke in an earlier run."""
        rows = np.flatnonzero(self.occupied)
        self.example[rows[self.queue.find_useless(self.example[rows], self.run[rows])]] = -1

    def shrink(self) -> None:
        """Goes on with fewer rows where that pays."""
        busy = np.flatnonzero(self.occupied)
        if self.pool is None or self.queue.is_waiting or not len(busy):
            return
        made = self.program.devices.join(self.bank["state"]["index"])[busy]
        steps = self.program.attack.num_steps
        # Who does not know how long it takes is expected to take as long again.
        left = made.max() if steps is None else steps - made.min()
        program = self.pool.shrink(self.program, len(busy), float(max(left, 0)) * self._pace)
        if program is not self.program:
            bank, self.program = self.program.devices.join(self.bank), program
            self.seat(bank, busy, self.example, self.run)

    def seat(
        self, bank: dict[str, Any], chosen: np.ndarray, example: np.ndarray, run: np.ndarray
    ) -> None:
        """Puts some rows of `bank`, arrays, on the first rows of the program; the others are empty.

        Args:
            bank: rows of any program of the attack.
            chosen: int (m,): which of them.
            example, run: int, of all of them.
        """
        rows = np.zeros(self.program.rows, int)
        rows[: len(chosen)] = chosen
        if not len(example):
            return
        self.example, self.run = example[rows], run[rows]
        # They repeat a row until they are filled.
        self.example[len(chosen) :] = -1
        self.bank = {
            part: self.program.devices.split({name: v[rows] for name, v in values.items()})
            for part, values in bank.items()
        }

    def _incoming(self):
        places, work = np.maximum(self.example, 0), self.queue.work
        return {
            "x": work.x[places],
            "y": work.y[places],
            "logits": work.logits[places],
            "seeds": work.seeds[places],
            "run": self.run,
        }
