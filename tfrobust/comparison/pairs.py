"""Rows of a table, pairs of them, and what can be said of both."""

import dataclasses
from collections.abc import Sequence

from tfrobust.comparison.verdicts import Verdicts

SURE = 0.975
"""The probability of being more robust from which two methods are told apart."""

FEW = 6
"""So many pairs, or rows, are told one by one; of more, the best or their number."""

# What the draws of the posterior are good for.
NEARLY_ONE = 0.995


@dataclasses.dataclass(frozen=True, eq=False)
class JudgedMethod:
    """A row of a table with the verdicts of its runs.

    Args:
        name: as sentences call it.
        runs: `Verdicts`, one for each seed.
        lacking: why other runs have no verdicts, clauses.
    """

    name: str
    runs: tuple[Verdicts, ...] = ()
    lacking: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class PairOfMethods:
    """What the posterior and McNemar's exact test say of two methods. Printed, it is a sentence.

    Args:
        first, second: names.
        places: their places among the methods that were compared.
        difference: of the mean robust accuracies, in percent.
        interval: of 95 %, in percent, within what a difference can be.
        probability: that the first one is more robust.
        p_values: of McNemar's exact test, one for each seed that both have.
        examples: how many.

    Example:
    >>> from tfrobust.comparison import PairOfMethods
    >>> print(PairOfMethods("A", "B", (0, 1), -2.5, (-5.2, 0.1), 0.03, (0.08,), 360))
    B is more robust than A: P = 0.97 (+2.5 points, 95 % interval -0.1 to +5.2; McNemar's exact test
    p = 0.08).
    """

    first: str
    second: str
    places: tuple[int, int]
    difference: float
    interval: tuple[float, float]
    probability: float
    p_values: tuple[float, ...]
    examples: int

    @property
    def seeds(self) -> int:
        """How many seeds are behind it."""
        return len(self.p_values)

    @property
    def is_sure(self) -> bool:
        """Whether the two are told apart: P is at least 0.975 one way or the other."""
        return max(self.probability, 1.0 - self.probability) >= SURE

    def __str__(self) -> str:
        """The sentence, the one of the higher accuracy first: "A is more robust than B: P = 0.97 (...)."."""
        if self.difference < 0.0:
            return str(self.turn())
        low, high = self.interval
        by_seed = " by seed" if self.seeds > 1 else ""
        return (
            f"{self.first} is more robust than {self.second}: {format_probability(self.probability)} "
            f"({self.difference:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}; McNemar's exact test"
            f"{by_seed} {_format_p_values(self.p_values)})."
        )

    def turn(self) -> "PairOfMethods":
        """The same with the second method first."""
        return dataclasses.replace(
            self,
            first=self.second,
            second=self.first,
            places=self.places[::-1],
            difference=-self.difference,
            interval=(-self.interval[1], -self.interval[0]),
            probability=1.0 - self.probability,
        )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What can be said of the rows of a table.

    Args:
        letters: for each row; rows that share one are not told apart. Empty for rows that were not
            compared.
        classes: all pairs that were compared, those of methods that were judged alike together, those with
            the most robust methods first.
        remarks: sentences on what was not compared, and why.
    """

    letters: tuple[str, ...]
    classes: tuple[tuple[PairOfMethods, ...], ...]
    remarks: tuple[str, ...]

    @property
    def pairs(self) -> tuple[PairOfMethods, ...]:
        """The pairs of all classes."""
        return tuple(pair for pairs in self.classes for pair in pairs)

    def find_pair(self, first: int, second: int) -> PairOfMethods | None:
        """The pair of two rows by their places, in this order; None if they were not compared."""
        for pair in self.pairs:
            if pair.places == (first, second):
                return pair
            if pair.places == (second, first):
                return pair.turn()
        return None


def format_probability(probability: float) -> str:
    """A probability of the posterior, with as many digits as its draws are good for.

    Example:
    >>> from tfrobust.comparison.pairs import format_probability
    >>> format_probability(0.974), format_probability(1.0), format_probability(0.0)
    ('P = 0.97', 'P > 0.99', 'P < 0.01')
    """
    if probability >= NEARLY_ONE:
        return "P > 0.99"
    return "P < 0.01" if probability < 1 - NEARLY_ONE else f"P = {probability:.2f}"


def _format_p_values(values: Sequence[float]) -> str:
    if max(values) < 1e-3:
        return "p < 0.001"
    shown = values if len(values) <= 3 else (min(values), max(values))
    return "p = " + (", " if len(values) <= 3 else " to ").join(_format_p(p) for p in shown)


def _format_p(value):
    return "< 0.001" if value < 1e-3 else f"{value:.2g}"
