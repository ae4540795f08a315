"""A table of certifications: certified accuracy at several radii."""

import functools
import os
import pathlib
from collections.abc import Sequence

from tfrobust.commands.parts.rows import name_run
from tfrobust.comparison.compare import compare_methods, judge_method
from tfrobust.comparison.pairs import SURE
from tfrobust.comparison.verdicts import Verdicts, hash_examples
from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.runs.markdown import code, plain
from tfrobust.runs.reports.certification_report import read_certification

# Settings of certificates that no other column says.
_TOLD = ("sigma=", "samples=", "alpha=", "bisections=")
_LETTERS = (
    f"Rows that share a letter in a column are not told apart: P is below {SURE}. P is of the posterior "
    "over test examples, of one run each: another training seed is not in it."
)


def parse_radii(texts: Sequence[str]) -> list[tuple[str, float]]:
    """Radii as they were written, and as numbers.

    Raises:
        UserError: one is no radius above 0.

    Example:
    >>> from tfrobust.commands.parts.certified_table import parse_radii
    >>> parse_radii(["0.25", "1/2"])
    [('0.25', 0.25), ('1/2', 0.5)]
    """
    radii = [(text, float(number(text, "certified", 0.0, pixels=True))) for text in texts]
    if any(radius <= 0.0 for _, radius in radii):
        raise UserError(f"Radii must be above 0. Received: --certified={','.join(texts)}.")
    return radii


def make_certified_table(folders: Sequence[str | os.PathLike], radii: Sequence[str]) -> str:
    """A line for each certification, in the order given; intervals are of 95 %.

    A radius beyond which the certificates did not look has no number: "-".

    Args:
        folders: of certifications.
        radii: as they are written in the head.

    Raises:
        UserError: a folder holds no finished certification, or their norms differ.
    """
    parsed = parse_radii(radii)
    reports = [(pathlib.Path(folder), read_certification(folder)) for folder in folders]
    norms = sorted({report.norm for _, report in reports})
    if len(norms) > 1:
        raise UserError(f"Radii of different norms cannot be compared: {', '.join(norms)}.")
    columns = [f"{norms[0]} {plain(text)}" for text, _ in parsed]
    compared = [_compare(reports, radius) for _, radius in parsed]
    head = ["run", "certificates", "examples", "clean", *columns, "seconds"]
    rows = [
        _format_row(
            folder, report, [(r, c.letters[i]) for (_, r), c in zip(parsed, compared, strict=True)]
        )
        for i, (folder, report) in enumerate(reports)
    ]
    lines = [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]
    told = [*([_LETTERS] if any(c.pairs for c in compared) else []), *compared[0].remarks]
    return "\n".join([*lines, "", *(f"- {plain(t)}" for t in told)] if told else lines)


def _compare(reports, radius):
    """Which rows are told apart at a radius; those that did not look so far are no rows."""
    names = [name_run(folder) for folder, _ in reports]
    return compare_methods(
        [
            judge_method(name, [functools.partial(_judge, report, radius)])
            for name, (_, report) in zip(names, reports, strict=True)
        ]
    )


def _judge(report, radius):
    if radius > report.reach:
        raise UserError(f"its certificates did not look for a radius of {radius:g}")
    asked = {
        "data": report.content["data"],
        "test examples": hash_examples(report.ids, report.labels),
    }
    return Verdicts(report.find_certified(radius), None, asked)


def _format_row(folder, report, radii):
    total = len(report.ids)
    return [
        plain(name_run(folder)),
        ", ".join(code(text) for text in dict.fromkeys(_describe(report))),
        str(total),
        f"{100 * report.clean.mean():.2f}",
        *(
            f"{_format_count(report.count_certified(radius), total)} {letters}".strip()
            if radius <= report.reach
            else "-"
            for radius, letters in radii
        ),
        f"{report.seconds:.1f} s",
    ]


def _describe(report):
    """Certificates without what the head and the other columns say."""
    for one in report.content["certificates"]:
        name, _, settings = one["certificate"].partition("(")
        parts = settings.removesuffix(")").split(", ")
        kept = [part for part in parts if part.startswith(_TOLD) and part != "bisections=0"]
        yield f"{name}({', '.join(kept)})" if kept else name


def _format_count(count, total):
    low, high = binomial_interval(count, total)
    return f"{100 * count / total:.2f} ({100 * low:.1f} to {100 * high:.1f})"
