"""What many runs take, and what their comparison can show, before any of them begins."""

import dataclasses
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
    told = (
        f"{count} {'run' if count == 1 else 'runs'}, of which {missing} "
        f"{'is' if missing == 1 else 'are'} not complete, in {folder}"
    )
    return "\n".join([told, *describe_seeds(rows, seeds)])


@dataclasses.dataclass(frozen=True)
class Evaluations:
    """Evaluations that runs need after their training.

    Args:
        missing: how many have not ended.
        took: seconds of those that have ended.
    """

    missing: int
    took: Sequence[float] = ()


def print_plan(
    took: Sequence[float],
    name: str,
    command: Sequence[str],
    missing: int,
    jobs: int,
    evaluations: Evaluations | None = None,
) -> int:
    """Prints what a run takes and all together: what those that have ended took, or else the plan of one.

    Args:
        took: seconds of the runs that have ended, with their test and export.
        name, command: of a run that is not trained, and the words that print its plan.
        missing: how many are not trained.
        jobs: runs at a time.
        evaluations: what `Evaluations` they need; None where that is not known.

    Returns:
        The status of the command; 0 where it was not needed.
    """
    if evaluations is not None and evaluations.took:
        told = format_duration(statistics.fmean(evaluations.took))
        print(f"An evaluation took {told}.")
    if not missing:
        return _print_whole(0.0, 0, jobs, evaluations)
    if took:
        one = statistics.fmean(took)
        print(f"A run took {format_duration(one)}, with its test and export.")
    else:
        print(f"The plan of {name}:", flush=True)
        planned = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        print(planned.stdout, end="")
        found = re.search(r"^estimated time +(.+)", planned.stdout, re.M)
        estimate = parse_duration(found[1]) if found else None
        if planned.returncode or estimate is None:
            return planned.returncode
        one = estimate
    return _print_whole(one, missing, jobs, evaluations)


def _print_whole(one, missing, jobs, evaluations):
    whole = one * math.ceil(missing / jobs)
    parts = [f"{missing} {'run' if missing == 1 else 'runs'}"] if missing else []
    on_top = " Evaluations come on top." if evaluations is None else ""
    if evaluations is not None and evaluations.missing:
        count = f"{evaluations.missing} evaluation{'' if evaluations.missing == 1 else 's'}"
        if evaluations.took:
            whole += statistics.fmean(evaluations.took) * math.ceil(evaluations.missing / jobs)
            parts.append(count)
        else:
            on_top = f" The {count} come on top: none has ended yet."
    shared = "; they share the processor and slow each other down" if jobs > 1 else ""
    if parts:
        print(
            f"If each takes as long, what is missing ({' and '.join(parts)}) takes "
            f"{format_duration(whole)} with {jobs} at a time{shared}.{on_top}"
        )
    else:
        print(on_top.strip())
    return 0
