"""A table of certifications: certified accuracy at several radii."""

import os
import pathlib
from collections.abc import Sequence

from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.runs.markdown import code, plain
from tfrobust.runs.reports.certification_report import CertificationReport, read_certification


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
    head = ["run", "certificates", "examples", "clean", *columns, "seconds"]
    rows = [_format_row(folder, report, [r for _, r in parsed]) for folder, report in reports]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _format_row(folder: pathlib.Path, report: CertificationReport, radii: Sequence[float]):
    total = len(report.ids)
    return [
        plain(name_run(folder)),
        ", ".join(code(text) for text in dict.fromkeys(_describe(report))),
        str(total),
        f"{100 * report.clean.mean():.2f}",
        *(
            _format_count(report.count_certified(radius), total) if radius <= report.reach else "-"
            for radius in radii
        ),
        f"{report.seconds:.1f} s",
    ]


def _describe(report):
    """Certificates without what the head and the other columns say."""
    for one in report.content["certificates"]:
        name, _, settings = one["certificate"].partition("(")
        kept = [part for part in settings.removesuffix(")").split(", ") if part.startswith(_TOLD)]
        yield f"{name}({', '.join(kept)})" if kept else name


_TOLD = ("sigma=", "samples=", "alpha=", "bisections=")


def _format_count(count, total):
    low, high = binomial_interval(count, total)
    return f"{100 * count / total:.2f} ({100 * low:.1f} to {100 * high:.1f})"


def name_run(folder: pathlib.Path) -> str:
    """The name of the run that an evaluation or a certification is of, else that of its folder.

    Example:
    >>> from tfrobust.commands.parts.certified_table import name_run
    >>> name_run(pathlib.Path("runs/noise/certification/smoothing")), name_run(pathlib.Path("bounds/ibp"))
    ('noise', 'ibp')
    """
    folder = folder.resolve()
    inside = folder.parent.name in ("evaluation", "certification")
    return folder.parent.parent.name if inside else folder.name
