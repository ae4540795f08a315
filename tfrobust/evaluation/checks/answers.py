"""How the checks put their answers."""

from collections.abc import Iterable

import numpy as np

from tfrobust.evaluation.checks.finding import Finding


def format_share(share: float) -> str:
    """A share in [0, 1] as people read it.

    Example:
    >>> format_share(0.0525)
    '5.2 %'
    """
    return f"{100 * share:.1f} %"


def pick_ids(ids: np.ndarray, mask: np.ndarray) -> tuple:
    """The ids of the examples in a boolean mask, as a tuple."""
    return tuple(np.asarray(ids)[np.asarray(mask)])


def exceeds(difference: float, share: float, count: int, least: int) -> bool:
    """Whether a difference of accuracies on `count` examples is above `share`, and made by `least` or more.

    Example:
    >>> exceeds(0.01, 0.005, 100, 2), exceeds(0.02, 0.005, 100, 2)
    (False, True)
    """
    return difference > share and round(difference * count) >= least


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in the order of their numbers: C2, C18a, C18b, C30."""
    return tuple(sorted(findings, key=lambda f: (int(f.id[1:].rstrip("ab")), f.id)))
