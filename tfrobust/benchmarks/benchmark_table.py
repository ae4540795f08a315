"""The tables of bin/benchmark.py: costs in, lines of text out."""

from collections.abc import Sequence
from typing import Any

from tfrobust.benchmarks.measuring.costs import Cost, add_costs, compute_ratios, take_median
from tfrobust.benchmarks.steps import MeasuredMethod

PASS_HEAD = ("", "ours ms", "Keras's ms", "ours/Keras's", "CPU", "peak MiB")
STEP_HEAD = (
    "method",
    "passes",
    "step ms",
    "passes ms",
    "step/passes",
    "CPU",
    "with update",
    "of ADV-1 (paper)",
    "of ADV-10 (paper)",
    "peak MiB",
    "traces",
)


def format_pass_rows(costs: dict[Any, list[Cost]], names: Sequence[str]) -> list[tuple[str, ...]]:
    """A row for each pass: with our layers, with Keras's, and the first in units of the second.

    Args:
        costs: dict with the rounds' `Cost` for ("ours", name) and ("Keras's", name).
        names: of the passes.
    """
    rows = []
    for name in names:
        ours, stock = costs["ours", name], costs["Keras's", name]
        here, there = take_median(ours), take_median(stock)
        shares = map(_format_ratio, compute_ratios(ours, stock))
        rows.append(
            (
                name,
                format_milliseconds(here.wall),
                format_milliseconds(there.wall),
                *shares,
                format_mebibytes(here.memory),
            )
        )
    return rows


def format_step_rows(
    subjects: dict[str, MeasuredMethod], costs: dict[Any, list[Cost]], traces: dict[str, int]
) -> list[tuple[str, ...]]:
    """A row for each method: its step in units of its passes, and of the steps of ADV-1 and ADV-10.

    Args:
        subjects: dict from a name to its `Subject`.
        costs: dict with the rounds' `Cost` for each ("step", name) and ("passes", name), and for
            "update".
        traces: dict from a name to how often its step was traced.
    """
    rows = []
    for name, subject in subjects.items():
        step, passes = costs["step", name], costs["passes", name]
        wall, cpu = compute_ratios(step, passes)
        with_update, _ = compute_ratios(step, add_costs(passes, costs["update"]))
        units = zip(("ADV-1", "ADV-10"), subject.papers, strict=True)
        rows.append(
            (
                name,
                format_formula(subject),
                format_milliseconds(take_median(step).wall),
                format_milliseconds(take_median(passes).wall),
                *map(_format_ratio, (wall, cpu, with_update)),
                *(
                    _format_ratio_to_paper(step, costs.get(("step", unit)), paper)
                    for unit, paper in units
                ),
                format_mebibytes(take_median(step).memory),
                str(traces[name]),
            )
        )
    return rows


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words under a head as lines of text, the first column to the left, the rest to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for first, *rest in (head, *rows):
        right = (word.rjust(width) for word, width in zip(rest, widths[1:], strict=True))
        lines.append("  ".join((first.ljust(widths[0]), *right)).rstrip())
    return lines


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints what `format_table` gives, after an empty line."""
    print("", *format_table(head, rows), sep="\n", flush=True)


def format_formula(subject: MeasuredMethod) -> str:
    """The passes of a step: "1F + 10I + 2W"."""
    letters = zip("FTIW", subject.counts().values(), strict=True)
    return " + ".join(f"{count}{letter}" for letter, count in letters if count)


def format_milliseconds(seconds: float) -> str:
    """A time with three digits."""
    return f"{seconds * 1e3:.3g}" if seconds < 1 else f"{seconds * 1e3:.0f}"


def format_mebibytes(size: int | None) -> str:
    """A size, or "-" where nothing was counted."""
    return "-" if size is None else f"{size / 2**20:.0f}"


def _format_ratio_to_paper(step, unit, paper):
    measured = "-" if unit is None else f"{compute_ratios(step, unit)[0]:.2f}"
    return measured if paper is None else f"{measured} ({paper:.2f})"


def _format_ratio(value):
    return f"{value:.3f}"
