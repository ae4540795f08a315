"""The page of an evaluation as HTML, from its template.

A file of its own, since the libraries that draw and fill in take a quarter of a second to import.
"""

import base64
import pathlib
import re

import jinja2
import markupsafe

from tfrobust.evaluation.reports import tables
from tfrobust.evaluation.reports.headline import DISTRUST, explain
from tfrobust.evaluation.reports.page_files import ReportFiles
from tfrobust.plots import report_figures
from tfrobust.plots.inline_svg import inline_svg
from tfrobust.plots.pixels import amplify, encode_png, find_factor

_HERE = pathlib.Path(__file__).parent


def render(report: ReportFiles) -> str:
    """The page's text; raises `LookupError` where the report lacks what the template asks for."""
    try:
        return _fill_in(report)
    except jinja2.UndefinedError as error:
        raise LookupError(str(error)) from error


def _fill_in(report):
    ours = report.ours
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["code"] = _mark_code
    shown = ours["robust"] or ours["clean"]
    told = [f for f in ours["findings"] if f["level"] != "passed"]
    return environment.get_template("report.html.jinja").render(
        ours=ours,
        tables=tables,
        css=markupsafe.Markup((_HERE / "report.css").read_text(encoding="utf-8")),
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
    for name, draw in report_figures.PICTURES.items():
        svg = inline_svg(lambda draw=draw: draw(report), name, name.replace("_", " "))
        if svg is not None:
            yield markupsafe.Markup(svg)


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
