"""Continuous batching: an attack runs on a fixed number of slots that are never idle for long."""

import dataclasses
import time

import numpy as np

# Seconds between two looks of the host, which refills slots, shows progress and saves.
_LOOK = 0.5


def _sum(former, value):
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


class Schedule:
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
    """

    def __init__(self, program, work, num_classes, scale=1.0):
        self.program, self.work, self.scale = program, work, scale
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
            # Runs and examples that were under way when the number of rows changed, to begin again.
            "again": np.zeros((0, 2), np.int64),
            **{name: np.full(size, np.nan) for name in program.attack.measures},
        }
        self.bank = None
        self._steps = 8

    def __call__(self, on_look=lambda schedule: None):
        """Runs to the end. `on_look(self)` is called between ticks, and may raise to stop.

        Returns:
            Dict of arrays: "broken", "broken_run", "lost_run" (the first in which the model gave no finite
            logits; -1 for none), "step", "forwards", "backwards", "images", the
            attack's measures (m,), and "counts" (4,).
        """
        while self._refill():
            began = time.perf_counter()
            waiting = self._waits
            patience = self.program.rows // 16 if waiting else self.program.rows
            self.bank, counts = self.program.tick(self.bank, self._steps, patience, self.scale)
            counts = np.array(self.program.devices.join(counts))
            self.host["counts"] += counts
            self._harvest()
            steps = max(1, counts[1] // self.program.rows)
            pace = (time.perf_counter() - began) / steps
            self._steps = int(np.clip(_LOOK / pace, 1, min(4 * self._steps, 1000)))
            on_look(self)
        return self.host

    @property
    def share(self):
        """How much of the queue has been given out and is finished, in [0, 1]; for a progress bar."""
        total = self.runs * len(self.work.y)
        return 1.0 if not total else (int(self.host["cursor"]) - self._occupied.sum() / 2) / total

    @property
    def _occupied(self):
        return self.host["example"] >= 0

    def _refill(self):
        """Gives free rows their next runs. False when there is nothing left to do."""
        host = self.host
        free = np.flatnonzero(~self._occupied)
        taken = []
        while len(taken) < len(free) and self._waits:
            run, example = self._take_next()
            # A run that began before the one that broke its example may still be the first.
            if not host["broken"][example] or run < host["broken_run"][example]:
                row = free[len(taken)]
                host["example"][row], host["run"][row] = example, run
                taken.append(row)
        if not self._occupied.any():
            return False
        take = np.zeros(self.program.rows, bool)
        take[taken] = True
        if self.bank is None:
            self.bank = self.program.open(self._incoming(), ~take, self.scale)
        elif taken or not self._occupied.all():
            idle = ~self._occupied
            self.bank = self.program.fill(self.bank, self._incoming(), take, idle, self.scale)
        return True

    @property
    def _waits(self):
        """Whether a run has not been given to a slot."""
        return len(self.host["again"]) or self.host["cursor"] < self.runs * len(self.work.y)

    def _take_next(self):
        host = self.host
        if len(host["again"]):
            (run, example), host["again"] = host["again"][0].tolist(), host["again"][1:]
            return run, example
        run, example = divmod(int(host["cursor"]), len(self.work.y))
        host["cursor"] += 1
        return run, example

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
        """Notes what finished rows found, and frees them."""
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
            combine = np.fmin if name == "distance" else _sum
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

    def snapshot(self):
        """All that is needed to go on later, as a dict of arrays."""
        bank = {} if self.bank is None else self.program.devices.join(self.bank)
        flat = {f"host/{name}": value for name, value in self.host.items()}
        for part in ("rows", "state"):
            flat |= {f"{part}/{name}": value for name, value in bank.get(part, {}).items()}
        return flat

    def restore(self, arrays):
        """Goes on from a `snapshot` of a schedule of the same attack and work.

        With another number of rows the runs that were under way begin again, with the same result.
        """
        parts = {"host": {}, "rows": {}, "state": {}}
        for name, value in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        self.host |= {name: np.array(value) for name, value in parts["host"].items()}
        if len(self.host["example"]) != self.program.rows:
            host, rows = self.host, np.flatnonzero(self._occupied)
            begun = np.stack([host["run"][rows], host["example"][rows]], axis=1)
            # In the order of the queue.
            begun = begun[np.lexsort((begun[:, 1], begun[:, 0]))]
            host["again"] = np.concatenate([begun, host["again"]])
            host["example"] = np.full(self.program.rows, -1)
            host["run"] = np.zeros(self.program.rows, np.int32)
        elif parts["rows"]:
            devices = self.program.devices
            self.bank = {
                "rows": devices.split(parts["rows"]),
                "state": devices.split(parts["state"]),
            }
