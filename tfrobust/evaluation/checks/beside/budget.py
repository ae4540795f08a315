"""How many passes the checks beside the attacks may make: C36."""

from collections.abc import Callable

from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding

# Fewer examples than that say nothing about a share.
FEWEST = 16

COST = Check(
    "C36",
    "cost of the checks",
    measures="How many passes the checks beside the attacks made, and on how many examples.",
    why="They must not cost more than the evaluation itself; with few passes they look at fewer "
    f"examples, down to {FEWEST}, and the last ones are left out.",
    advice="Raise `share` or `floor` for the checks that it names.",
    settings={
        "examples": Setting(
            256, "how many of the first examples the checks before and beside the attacks look at"
        ),
        "steps": Setting(
            50, "of the attacks that the checks run; C12 and others take twice as many"
        ),
        "targets": Setting(3, "classes that their targeted attack aims at"),
        "share": Setting(0.25, "passes that they may make, as a share of those of the attacks"),
        "floor": Setting(24_000, "passes that they may always make"),
    },
)


class NotAfforded(Exception):
    """A check needs more passes than are left."""


class Budget:
    """Passes that may still be made; a forward or backward pass of one example is one.

    Args:
        most: how many in all; None for any number.

    Example:
    >>> budget = Budget(100)
    >>> budget.spend(60)
    >>> budget.left, budget.count_examples(cost=4, most=256)
    (40, 10)
    """

    def __init__(self, most: float | None = None):
        self.most = most
        self.spent: float = 0
        self.lacking: list[Check] = []

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
            NotAfforded: fewer are left.
        """
        if passes > self.left:
            raise NotAfforded(
                f"it takes {int(passes):,} more passes; of {int(self.most or 0):,} {int(self.left):,} "
                "are left."
            )
        self.spent += passes

    def run(self, check: Check, function: Callable[[], Finding]) -> Finding:
        """The `Finding` of a check's function, or that the check could not be afforded."""
        try:
            return function()
        except NotAfforded as why:
            self.lacking.append(check)
            return check.skip(str(why))

    def report(self, looked_at: int, given: int, limits: Limits) -> Finding:
        """C36: what the checks beside the attacks cost, and which were left out."""
        bounds, most = limits[COST], self.most or 0
        rule = (
            f"the least that they always may make (`floor`), since {bounds.share:.2g} of what the attacks "
            "made is less"
            if most <= bounds.floor
            else f"{bounds.share:.2g} of what the attacks made"
        )
        text = (
            f"The checks beside the attacks made {int(self.spent):,} passes of the {int(most):,} that "
            f"they may make, {rule}, and looked at {looked_at} of {given} examples."
        )
        if self.lacking:
            names = ", ".join(f"{check.id} ({check.title})" for check in self.lacking)
            text += f" Not afforded: {names}. Raise `share` or `floor` of {COST.id} for more."
        level = "info" if self.lacking else "passed"
        return COST.finding(level, self.spent, most, text)


def grant_passes(attacks: float, reserved: float, limits: Limits) -> float:
    """Passes that the checks beside the attacks may make.

    Args:
        attacks: passes that the attacks made.
        reserved: passes of their share that go elsewhere.
        limits: `Limits`.

    Example:
    >>> grant_passes(439, 0, Limits()), grant_passes(1_000_000, 50_000, Limits())
    (24000, 200000.0)
    """
    bounds = limits[COST]
    return max(bounds.share * attacks - reserved, bounds.floor)
