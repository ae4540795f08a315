"""How many passes the checks beside the attacks may make: C36."""

import time
from collections.abc import Callable
from typing import NamedTuple

from tfrobust.evaluation.checks.check import Check, Setting
from tfrobust.evaluation.checks.finding import Finding

# Fewer examples than that say nothing about a share.
FEWEST = 16

COST = Check(
    "C36",
    "cost of the checks",
    measures="How many passes the checks beside the attacks made, and on how many examples.",
    why="They must not cost more than the evaluation itself; with few passes they look at fewer "
    f"examples, down to {FEWEST}, and the last ones are left out.",
    advice='Give `checks="full"`, or raise `share`, `floor` or `seconds`, for the checks that it names.',
    settings={
        "examples": Setting(
            256, "how many of the first examples the checks before and beside the attacks look at"
        ),
        "steps": Setting(
            50, "of the attacks that the checks run; C12 and others take twice as many"
        ),
        "targets": Setting(3, "classes that their targeted attack aims at"),
        "share": Setting(0.25, "passes that they may make, as a share of those of the attacks"),
        "floor": Setting(24_000, 'passes that they may make in any case with `checks="full"`'),
        "seconds": Setting(
            300,
            "after which none of them is begun; they are granted passes that take half of it at the pace "
            "of the attacks",
        ),
        "short": Setting(
            100,
            'passes of an example: after one attack of no more they are made with `checks="full"` only',
        ),
    },
)


class NotAfforded(Exception):
    """A check needs more passes than are left."""


class Grant(NamedTuple):
    """How many passes may be made, and why not more.

    Attributes:
        passes: of an example, forward or backward.
        rule: what sets the limit, in words.
        seconds: by the clock, after which nothing is begun; None for any number.
        pace: passes a second of the attacks, or None where it is not known.
    """

    passes: float
    rule: str
    seconds: float | None = None
    pace: float | None = None


class Budget:
    """Passes that may still be made; a forward or backward pass of one example is one.

    Args:
        most: how many in all, or a `Grant`; None for any number.

    Example:
    >>> budget = Budget(100)
    >>> budget.spend(60)
    >>> budget.left, budget.count_examples(cost=4, most=256)
    (40, 10)
    """

    def __init__(self, most: float | Grant | None = None):
        grant = most if isinstance(most, Grant) else Grant(most or 0, "what was granted")
        self.grant = grant
        self.most = None if most is None else grant.passes
        self.spent: float = 0
        self.lacking: list[Check] = []
        self._began = time.monotonic()

    @property
    def left(self) -> float:
        """Passes that may still be made."""
        return float("inf") if self.most is None else max(0, self.most - self.spent)

    def count_examples(self, cost: float, most: int) -> int:
        """How many examples of which each costs so many passes are left, up to `most`."""
        return most if self.most is None else int(min(most, self.left // cost))

    def spend(self, passes: float) -> None:
        """Notes passes before they are made.

        Raises:
            NotAfforded: fewer are left, or the time is over.
        """
        if passes > self.left:
            raise NotAfforded(self.explain(passes))
        limit = self.grant.seconds
        if limit is not None and time.monotonic() - self._began > limit:
            raise NotAfforded(f"the {limit:g} seconds of the checks beside the attacks are over.")
        self.spent += passes

    def explain(self, passes: float) -> str:
        """Says that so many passes are not left."""
        left, most = int(self.left), int(self.most or 0)
        return f"it takes {int(passes):,} more passes; of {most:,} {left:,} are left."

    def run(self, check: Check, function: Callable[[], Finding]) -> Finding:
        """The `Finding` of a check's function, or that the check could not be afforded."""
        try:
            return function()
        except NotAfforded as why:
            self.lacking.append(check)
            return check.skip(str(why))

    def report(self, looked_at: int, given: int, needed: float) -> Finding:
        """C36: what the checks beside the attacks cost, and which were left out.

        Args:
            looked_at: number of examples.
            given: how many there were.
            needed: passes of all checks in full.
        """
        most, pace = self.most or 0, self.grant.pace
        text = (
            f"The checks beside the attacks made {int(self.spent):,} passes of the {int(most):,} that "
            f"they may make, {self.grant.rule}, and looked at {looked_at} of {given} examples."
        )
        if self.lacking:
            names = ", ".join(f"{check.id} ({check.title})" for check in self.lacking)
            text += f" Not afforded: {names}."
        if needed > most:
            took = f", {needed / pace:,.0f} s at the pace of the attacks" if pace else ""
            text += (
                f" All of them in full take at most {int(needed):,} passes{took}: raise `share`, `floor` or "
                f"`seconds` of {COST.id}."
            )
        level = "info" if self.lacking else "passed"
        return COST.finding(level, self.spent, most, text)
