"""The page of an evaluation as HTML, from its template, and what other pages of its looks share.

A file of its own, since the libraries that draw and fill in take a quarter of a second to import.
"""

import base64
import functools
import pathlib
import re
from collections.abc import Callable
from typing import Any

import jinja2
import markupsafe
from matplotlib.figure import Figure

from tfrobust.evaluation.reports import tables
from tfrobust.evaluation.reports.headline import DISTRUST, explain
from tfrobust.evaluation.reports.page_files import ReportFiles
from tfrobust.plots import report_figures
from tfrobust.plots.inline_svg import inline_svg
from tfrobust.plots.pixels import amplify, encode_png, find_factor

_HERE = pathlib.Path(__file__).parent


def fill_in(path: pathlib.Path, **values: Any) -> str:
    """The text of a page in the looks of an evaluation's; all values are escaped.

    Args:
        path: of a template that extends `page.html.jinja`; `parts.html.jinja` is there to be imported. Its
            filter `code` marks what stands between backticks.
        **values: what it asks for.

    Raises:
        LookupError: it asks for something else.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([path.parent, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["code"] = _mark_code
    css = markupsafe.Markup((_HERE / "report.css").read_text(encoding="utf-8"))
    try:
        return environment.get_template(path.name).render(css=css, **values)
    except jinja2.UndefinedError as error:
        raise LookupError(str(error)) from error


def draw(name: str, picture: Callable[[], Figure | None]) -> markupsafe.Markup | None:
    """A figure as SVG, to stand in a page as it is; None if there is none."""
    svg = inline_svg(picture, name, name.replace("_", " "))
    return None if svg is None else markupsafe.Markup(svg)


def render(report: ReportFiles) -> str:
    """The page's text; raises `LookupError` where the report lacks what the template asks for."""
    ours = report.ours
    shown = ours["robust"] or ours["clean"]
    told = [f for f in ours["findings"] if f["level"] != "passed"]
    return fill_in(
        _HERE / "report.html.jinja",
        ours=ours,
        tables=tables,
        title=_title(ours),
        told_first=explain(ours),
        is_bound=ours["robust"] is not None and ours["estimate"],
        shown=shown,
        interval=tables.format_interval(shown),
        doubts=[f["id"] for f in told if f["level"] in DISTRUST],
        told=told,
        passed=len(ours["findings"]) - len(told),
        answered=sum(item["state"] == "answered" for item in ours["checklist"]),
        charts=list(_charts(report)),
        images=list(_images(report.samples)),
    )


def _title(ours):
    if ours["robust"] is None:
        return "clean accuracy, nothing attacked"
    if ours["estimate"]:
        return "robust accuracy, upper bound"
    return f"accuracy under {ours['suite']}, no estimate of robust accuracy"


def _mark_code(text):
    """Escapes text, and marks what is between backticks as code."""
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))


def _charts(report):
    """Draws the curves that there are numbers for, as SVG."""
    for name, picture in report_figures.PICTURES.items():
        svg = draw(name, functools.partial(picture, report))
        if svg is not None:
            yield svg


def _images(samples):
    """Encodes clean and adversarial images of the samples, and their amplified differences."""
    if samples is None:
        return
    names = ("clean", "images", "ids", "labels", "attacks")
    # Reports of earlier versions, and of random classifiers, don't have the classes.
    classes = samples.get("found", [None] * len(samples["ids"]))
    rows = zip(*(samples[name] for name in names), classes, strict=True)
    for clean, found, id, label, attack, number in rows:
        seen = "" if number is None else f" is taken for {number}"
        delta = found - clean
        pictures = {"clean": clean, "adversarial": found, "difference": amplify(delta)}
        yield {
            "id": id,
            "pngs": [
                (what, base64.b64encode(encode_png(p)).decode()) for what, p in pictures.items()
            ],
            "caption": f"image {id}: {label}{seen} ({attack}); change x {find_factor(delta):.3g}",
        }
