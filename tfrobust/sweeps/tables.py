"""The results of a sweep as text: a table for people, and one for programs."""

import csv
import io
from collections.abc import Sequence

from tfrobust.comparison.text import describe_letters, list_sentences
from tfrobust.runs.markdown import cell, plain, table
from tfrobust.sweeps.grid import shorten
from tfrobust.sweeps.results import MEASURES, Group, Result, compare_groups


def format_groups(groups: Sequence[Group], suite: str | None) -> str:
    """A Markdown table: a column for each swept name, accuracies in percent, one row a combination.

    Over several seeds a cell is "mean ± sample standard deviation"; "not run" where no run has ended.
    Rows that share a letter under "group" are not told apart under the suite, or without one under the
    test attack; sentences below the table say how sure the differences are.

    Args:
        groups: `Group`s.
        suite: name of the suite; None for no column.
    """
    names = [name for name, _ in groups[0].values] if groups else []
    measures = [m for m in MEASURES if m != "suite" or suite is not None]
    titles = {"clean": "clean", "robust": "test attack", "suite": suite or ""}
    head = [*map(cell, names), "runs", *(cell(titles[m]) for m in measures), "group", "training"]
    found = compare_groups(groups)
    rows = [
        [
            *(cell(value) for _, value in group.values),
            f"{len(group.numbers('clean'))} of {len(group.results)}",
            *(_format(group, measure) for measure in measures),
            letters,
            _format_seconds(group),
        ]
        for group, letters in zip(groups, found.letters, strict=True)
    ]
    told = [f"- {plain(said)}" for said in [*list_sentences(found), *describe_letters([found])]]
    where = f"Under {plain(suite or 'the test attack')}:"
    return "\n".join([table(head, rows), *([where, "", *told, ""] if told else [])])


def format_csv(results: Sequence[Result]) -> str:
    """One row a run: swept values, seed, accuracies in [0, 1], seconds of training; empty if not run."""
    names = [name for name, _ in shorten(results[0].point.values)] if results else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, "seed", *MEASURES, "training_seconds"])
    for result in results:
        point = result.point
        writer.writerow(
            [
                *(value for _, value in shorten(point.values)),
                "" if point.seed is None else point.seed,
                *(result.accuracies.get(measure, "") for measure in MEASURES),
                "" if result.seconds is None else result.seconds,
            ]
        )
    return text.getvalue()


def _format(group, measure):
    mean, deviation = group.mean(measure), group.deviation(measure)
    if mean is None:
        return "not run"
    return f"{100 * mean:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


def _format_seconds(group):
    found = [result.seconds for result in group.results if result.seconds is not None]
    return f"{sum(found) / len(found):.0f} s" if found else "-"
