"""What many runs take, and what their comparison can show, before any of them begins."""

import math
import re
import statistics
import subprocess
from collections.abc import Sequence

from tfrobust.comparison.text import describe_seeds
from tfrobust.runs.duration import format_duration, parse_duration


def describe_runs(count: int, missing: int, folder: object, rows: int, seeds: int) -> str:
    """How many runs there are, and what so few seeds cannot show.

    Args:
        count, missing: runs, and those that are not complete.
        folder: where they are.
        rows, seeds: of the table: how many rows, and of how many seeds each.

    Example:
    >>> from tfrobust.commands.parts.plan import describe_runs
    >>> describe_runs(6, 2, "runs", rows=2, seeds=3)
    '6 runs, of which 2 are not complete, in runs'
    """
    told = f"{count} runs, of which {missing} are not complete, in {folder}"
    return "\n".join([told, *describe_seeds(rows, seeds)])


def print_plan(
    took: Sequence[float], name: str, command: Sequence[str], missing: int, jobs: int
) -> int:
    """Prints what a run takes and all together: what those that have ended took, or else the plan of one.

    Args:
        took: seconds of training of the runs that have ended.
        name, command: of a run that is not complete, and the words that print its plan.
        missing: how many are not complete, at least 1.
        jobs: runs at a time.

    Returns:
        The status of the command; 0 where it was not needed.
    """
    if took:
        one = statistics.fmean(took)
        print(f"A run took {format_duration(one)} to train.")
    else:
        print(f"The plan of {name}:", flush=True)
        planned = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        print(planned.stdout, end="")
        found = re.search(r"^estimated time +(.+)", planned.stdout, re.M)
        estimate = parse_duration(found[1]) if found else None
        if planned.returncode or estimate is None:
            return planned.returncode
        one = estimate
    whole = format_duration(one * math.ceil(missing / jobs))
    shared = "; they share the processor and slow each other down" if jobs > 1 else ""
    print(
        f"If each takes as long, the {missing} that are missing take {whole} with {jobs} at a time{shared}. "
        "Evaluations come on top."
    )
    return 0
