"""Rows of a table, pairs of them, and what can be said of both."""

import dataclasses

from tfrobust.comparison.verdicts import Verdicts

SURE = 0.975
"""The probability of being more robust from which two methods are told apart."""


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
    """What the posterior and McNemar's exact test say of two methods.

    Args:
        first, second: names; the first one has the higher accuracy, or is above in the table.
        places: their places among the methods that were compared.
        difference: of the mean robust accuracies, in percent.
        interval: of 95 %, in percent, within what a difference can be.
        probability: that the first one is more robust.
        p_values: of McNemar's exact test, one for each seed that both have.
        examples: how many.
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
