"""What many runs take, and what their comparison can show, before any of them begins."""

import statistics
from collections.abc import Sequence

from tfrobust.comparison.text import describe_seeds


def describe_runs(count: int, missing: int, folder: object, rows: int, seeds: int) -> list[str]:
    """How many runs there are, and what so few seeds cannot show.

    Args:
        count, missing: runs, and those that are not complete.
        folder: where they are.
        rows, seeds: of the table: how many rows, and of how many seeds each.

    Example:
    >>> from tfrobust.commands.parts.plan import describe_runs
    >>> describe_runs(6, 2, "runs", rows=2, seeds=3)
    ['6 runs, of which 2 are not complete, in runs']
    """
    told = f"{count} runs, of which {missing} are not complete, in {folder}"
    return [told, *describe_seeds(rows, seeds)]


def describe_time(took: Sequence[float], missing: int, jobs: int = 1) -> str:
    """How long the runs take that are missing, by what others took.

    Args:
        took: seconds of training of runs that have ended, one or more.
        missing: how many runs are not complete.
        jobs: runs at a time.

    Example:
    >>> from tfrobust.commands.parts.plan import describe_time
    >>> describe_time([60.0, 120.0], missing=4, jobs=2)
    'A run took 90 s to train; all that are missing take about 3 min, without evaluations.'
    """
    seconds = statistics.fmean(took) * missing / min(jobs, missing)
    return (
        f"A run took {statistics.fmean(took):.0f} s to train; all that are missing take about "
        f"{seconds / 60:.0f} min, without evaluations."
    )
