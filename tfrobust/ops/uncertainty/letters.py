"""Letters for the rows of a table, by which of them can be told apart."""

import string
from collections.abc import Sequence

import numpy as np

_NAMES = string.ascii_lowercase + string.ascii_uppercase


def find_groups(apart: np.ndarray, order: Sequence[int]) -> list[tuple[int, ...]]:
    """Groups of rows: two rows share one exactly if they are not told apart.

    Use it for the letters of a table, one a group. Not to be told apart need not carry over from row to
    row, so that a row may be in several groups.

    Args:
        apart: boolean (r, r), symmetric: which pairs of rows are told apart.
        order: the rows, the best first.

    Returns:
        Such groups, that of the best row first, each in the order of its rows; no row is in one in vain.

    Example:
    >>> from tfrobust.ops.uncertainty.letters import find_groups
    >>> apart = np.array([[False, False, True], [False, False, False], [True, False, False]])
    >>> find_groups(apart, [0, 1, 2])
    [(0, 1), (1, 2)]

    Reference: Piepho, "An algorithm for a letter-based representation of all-pairwise comparisons", 2004.
    """
    groups = {frozenset(order)}
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            if not apart[one, other]:
                continue
            pair = {one, other}
            whole = {group for group in groups if pair <= group}
            cut = {group - {row} for group in whole for row in pair}
            found = (groups - whole) | cut
            # A group inside of another one says nothing more.
            groups = {g for g in found if g not in cut or not any(g < h for h in found)}
    groups = _sweep(groups, order)
    places = sorted(sorted(order.index(row) for row in group) for group in groups)
    return [tuple(order[place] for place in group) for group in places]


def _sweep(groups, order):
    """Takes rows out of groups in which they share nothing that they do not share elsewhere."""
    kept = sorted(
        (set(group) for group in groups), key=lambda g: (len(g), sorted(map(order.index, g)))
    )
    for group in kept:
        for row in sorted(group, key=order.index, reverse=True):
            others = [g for g in kept if g is not group and row in g]
            if others and group <= set().union(*others):
                group.discard(row)
    return {frozenset(group) for group in kept if group}


def name_group(number: int) -> str:
    """The letter of a group by its number from 0: a to z, A to Z, then numbers in parentheses.

    Example:
    >>> from tfrobust.ops.uncertainty.letters import name_group
    >>> name_group(0), name_group(26), name_group(60)
    ('a', 'A', '(60)')
    """
    return _NAMES[number] if number < len(_NAMES) else f"({number})"
