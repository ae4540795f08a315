"""How the checks put their answers."""

import numpy as np

from tfrobust.evaluation.checks.finding import NOT_CHECKED, Finding


def skipped(id, title, why):
    """A check that was not made."""
    return Finding(id, title, "info", None, None, f"{NOT_CHECKED} {why}")


def percent(share):
    """A share as people read it."""
    return f"{100 * share:.1f} %"


def chosen(ids, mask):
    """The names of the examples in a boolean mask, as a tuple."""
    return tuple(np.asarray(ids)[np.asarray(mask)])


def more_than(difference, share, count, least):
    """Whether a difference of accuracies is above `share`, and made of `least` examples or more."""
    return difference > share and round(difference * count) >= least
