"""The programs of one attack, of several numbers of rows; none is traced that does not pay."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from tfrobust.evaluation.engine.scheduling.program import Program

# Rows below which a pass is hardly faster, so that none is traced for fewer.
FEWEST_ROWS = 32
# What a trace for fewer rows must save, as a multiple of its cost: few searches take as long as they might.
WORTH = 2.0


class ProgramPool:
    """Makes programs of one attack on one model as they are needed, and keeps them.

    Args:
        make: function from a number of rows to a `Program`.
        count: number of devices, of which rows are a multiple.
        kept: numbers of rows for which there are compiled programs already.
        estimate: function from a number of rows to the time of a pass, in any unit; proportional if left out.

    Example:
    >>> from tfrobust.evaluation.engine.scheduling.pool import ProgramPool
    >>> from tfrobust.evaluation.engine.scheduling.program import Program
    >>> attack = tfrobust.PGD(tfrobust.Linf(0.1))
    >>> pool = ProgramPool(lambda rows: Program(lambda x: x[:, 0, 0], attack, rows), count=2)
    >>> pool.choose(7).rows, pool.choose(5).rows
    (8, 8)
    """

    def __init__(
        self,
        make: Callable[[int], Program],
        count: int = 1,
        kept: Iterable[int] = (),
        estimate: Callable[[int], float] = float,
    ):
        self._make, self._count, self._kept, self._estimate = make, count, set(kept), estimate
        self.programs: dict[int, Program] = {}
        self._told = 0

    def choose(self, rows: int) -> Program:
        """The smallest program that is there and has at least so many rows, or a new one of just these."""
        rows = self.round_up(rows)
        fitting = [there for there in self._sizes if there >= rows]
        return self.make(min(fitting, default=rows))

    def shrink(self, program: Program, busy: int, seconds: float) -> Program:
        """The program to go on with when only some rows are left at work.

        A smaller one that is there is used whenever it holds them. A new one, of half or a quarter or ...
        of the rows but not below 32, is made if it holds them, and saves at least twice what its trace
        costs. The next evaluation finds it there.

        Args:
            program: the present one.
            busy: number of rows that are at work, and will not be followed by others.
            seconds: that `program` would take to the end.
        """
        smallest = self.choose(busy) if self._has(busy, program.rows) else program
        rows = self.round_up(halve_rows(smallest.rows, max(busy, FEWEST_ROWS)))
        whole, now, then = (self._estimate(each) for each in (program.rows, smallest.rows, rows))
        saved = seconds * (now - then) / whole
        if 2 * rows <= smallest.rows and saved > WORTH * program.trace_cost:
            return self.make(rows)
        return smallest

    def make(self, rows: int) -> Program:
        """The program of exactly so many rows, a multiple of the number of devices."""
        if rows not in self.programs:
            self.programs[rows] = self._make(rows)
        return self.programs[rows]

    def round_up(self, rows: int) -> int:
        """The next multiple of the number of devices, at least one for each."""
        return -(-max(1, rows) // self._count) * self._count

    def _has(self, rows, limit):
        return any(rows <= there < limit for there in self._sizes)

    @property
    def is_empty(self) -> bool:
        """Whether there is no program yet, also none that is kept."""
        return not self._sizes

    @property
    def _sizes(self):
        return self._kept | self.programs.keys()

    @property
    def traces(self) -> int:
        """How often a search was traced: once for each number of rows."""
        return sum(program.traces for program in self.programs.values())

    def tell_traces(self) -> int:
        """How many of the traces no call has told before."""
        told, self._told = self._told, self.traces
        return self._told - told

    @property
    def tracing_seconds(self) -> float:
        """Time that these traces took."""
        return sum(program.tracing_seconds for program in self.programs.values())


def balance_rows(items: int, most: int, least: int = 0) -> int:
    """Chooses rows for a number of runs: as many in each wave, so that the last one is as full as the others.

    Args:
        items: number of runs.
        most: the most rows.
        least: the fewest, where `most` allows them.

    Example:
    >>> from tfrobust.evaluation.engine.scheduling.pool import balance_rows
    >>> balance_rows(54, 50), balance_rows(3, 50)
    (27, 3)
    """
    waves = max(1, -(-items // most))
    return max(1, -(-items // waves), min(least, most))


def plan_rows(items: int, planned: int, most: int, least: int = 0) -> int:
    """Chooses rows for a number of runs so that evaluations of the same examples choose alike.

    They are those that all the examples would have, or some eighths of them, but no multiple below 16.

    Args:
        items: number of runs.
        planned: that it would be if no example had fallen before.
        most: the most rows.
        least: the fewest, where `most` allows them.

    Example:
    >>> from tfrobust.evaluation.engine.scheduling.pool import plan_rows
    >>> plan_rows(340, 360, 256), plan_rows(55, 360, 256), plan_rows(7, 10, 256)
    (176, 66, 10)
    """
    rows, needed = balance_rows(planned, most), balance_rows(items, most)
    step = max(16, rows // 8)
    return max(min(rows, -(-needed // step) * step), min(least, most))


def halve_rows(rows: int, items: int) -> int:
    """Halves a number of rows as long as they hold so many runs, and there is one."""
    while rows > 1 and items <= rows // 2:
        rows //= 2
    return rows


def count_rows(snapshot: Mapping[str, np.ndarray], items: int, rows: int) -> int:
    """Counts the rows to continue a snapshot with: the busy ones, and `rows` while any of `items` wait."""
    busy = int(np.sum(snapshot["host/example"] >= 0))
    return max(busy, rows) if snapshot["host/cursor"] < items else busy
