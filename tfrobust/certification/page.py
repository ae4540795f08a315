"""`report.html`: a certification on one page that needs nothing else."""

import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from tfrobust.certification.explanation import explain
from tfrobust.errors import UserError, one_line
from tfrobust.evaluation.reports.tables import Rows, format_interval
from tfrobust.evaluation.reports.wording import describe, format_percent, format_short
from tfrobust.runs import files
from tfrobust.runs.reports.certification_report import CertificationReport, read_certification
from tfrobust.runs.reports.identity import Identity

PAGE = "report.html"
_TEMPLATE = pathlib.Path(__file__).parent / "certification.html.jinja"
_ACCURACIES = ("", "accuracy", "95 % interval", "examples")
_NOTE = (
    "A certificate is a lower bound of robust accuracy. Attacks give the upper one: "
    "`tfrobust evaluate --certified=FOLDER` shows both in one report."
)
_SMOOTHED_NOTE = (
    "A certificate is a lower bound, here of the smoothed classifier's robust accuracy. Attacks on the "
    "classifier alone say nothing about it."
)
_CERTIFICATES = ("certificate", "asked", "certified", "passes", "seconds")
_CERTIFICATES_NOTE = (
    "Asked: the examples that it was given, all but those that a certificate above it had certified. "
    "Passes: forward passes of the classifier, boxes and linear bounds through it."
)


def write_page(folder: str | os.PathLike) -> pathlib.Path:
    """Writes `report.html` from the other files in the folder of a certification, whole or not at all.

    One file without scripts and links that contains its picture and style, to be sent as it is. All text of
    the other files is escaped.

    Args:
        folder: holds `report.json` and `certified.csv`.

    Returns:
        The path of the page.

    Raises:
        UserError: the folder holds no finished certification, or one of another version.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> data = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> found = tfrobust.certify(model, data, "ibp", tfrobust.Linf(0.1), workdir="certified")
    >>> tfrobust.certification.write_page("certified").name
    'report.html'
    """
    # They draw, and take a quarter of a second to import.
    from tfrobust.evaluation.reports.page_template import fill_in

    report, path = read_certification(folder), pathlib.Path(folder, PAGE)
    try:
        text = fill_in(_TEMPLATE, **_list_values(report))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{folder} holds a report.json that this version's certifications do not write "
            f"({one_line(error, 200)}). Certify again, into a new folder."
        ) from error
    files.write_text(path, text)
    return path


def _list_values(report):
    from tfrobust.evaluation.reports.page_template import draw
    from tfrobust.plots.report_figures import draw_certified_accuracy

    content = report.content
    certified = _as_shown(content["certified"], content)
    one_by_one = content["certificates"]
    return {
        "content": content,
        "told_first": explain(content),
        "certified": certified,
        "clean": _as_shown(content["clean"], content),
        "interval": format_interval(certified),
        "titles": _ACCURACIES,
        "accuracies": _list_accuracies(content),
        "note": _NOTE if content["certain"] else _SMOOTHED_NOTE,
        "certificate_titles": _CERTIFICATES,
        "certificates": [_list_cells(one) for one in one_by_one],
        "certificates_note": _CERTIFICATES_NOTE,
        "chart": draw(
            "certified_accuracy",
            lambda: draw_certified_accuracy(content, report.clean, report.radii),
        ),
        "reach": _tell_reach(report),
        "ways": [(one["name"], one["how"]) for one in one_by_one],
        "limits": list(dict.fromkeys(limit for one in one_by_one for limit in one["limits"])),
        "settings": list(_list_settings(content)),
    }


def _as_shown(count: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """A count as the pages of evaluations have it."""
    return {
        "right": count["count"],
        "total": content["examples"],
        "accuracy": count["accuracy"],
        "interval": (count["low"], count["high"]),
    }


def _list_accuracies(content: dict[str, Any]) -> Rows:
    rows = [("clean", "clean"), ("certified, at least", "certified")]
    cells = [(title, _as_shown(content[name], content)) for title, name in rows]
    return [
        (
            title,
            format_percent(shown["accuracy"]),
            format_interval(shown),
            f"{shown['right']} / {shown['total']}",
        )
        for title, shown in cells
    ]


def _list_cells(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["name"],
        str(one["attempted"]),
        str(one["certified"]),
        f"{one['passes']:,}",
        f"{one['seconds']:.1f}",
    )


def _tell_reach(report: CertificationReport) -> str:
    """What the chart shows, and where it ends."""
    radius, reach = report.content["radius"], report.reach
    if not report.find_certified(0.0).any():
        told = "Nothing is proven at any radius, so there is no chart."
    else:
        told = "What is proven at a radius is proven at every smaller one."
    if math.isinf(reach):
        return f"{told} Beyond the last step nothing is proven."
    if reach > radius:
        return (
            f"{told} Radii were looked for up to {format_short(reach)}; beyond, nothing was asked."
        )
    if report.is_certain:
        return (
            f"{told} Only {format_short(radius)} was asked: at smaller radii more may be provable, and "
            "nothing is known of larger ones. The suite radii looks for the largest radius of each example."
        )
    return (
        f"{told} Votes were stopped where {format_short(radius)} was decided: more may be provable at "
        "other radii."
    )


def _list_settings(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "model", content["model"]
    yield "data", f"{content['data']}, {content['examples']} examples"
    yield (
        "threat model",
        f"{content['norm']} {content['epsilon']}, radius {format_short(content['radius'])}, pixels in [0, 1]",
    )
    yield "suite", content["suite"]
    for one in content["certificates"]:
        yield one["name"], f"`{one['certificate']}`"
    yield "seed", str(content["seed"])
    yield "hash of the weights", f"`{(Identity.find(content) or Identity('')).weights}`"
    for name, value in content["environment"].items():
        if value is not None:
            yield name, describe(value)
    yield "seconds", f"{content['seconds']:.1f}"
