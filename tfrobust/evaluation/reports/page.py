"""`report.html`: an evaluation on one page that needs nothing else."""

import base64
import os
import pathlib
import re

import jinja2
import markupsafe

from tfrobust.errors import UserError, one_line
from tfrobust.evaluation.reports import tables
from tfrobust.evaluation.reports.headline import DISTRUST
from tfrobust.evaluation.reports.page_files import ReportFiles
from tfrobust.plots import report_figures
from tfrobust.plots.inline_svg import inline_svg
from tfrobust.plots.pixels import amplify, encode_png, find_factor
from tfrobust.runs import files

_HERE = pathlib.Path(__file__).parent


def write_page(folder: str | os.PathLike) -> pathlib.Path:
    """Writes `report.html` from the other files in the folder of an evaluation, whole or not at all.

    One file without scripts and links that contains its pictures and style, to be sent as it is. All text
    of the other files is escaped.

    Args:
        folder: holds `report.json` and `examples.csv`, and `samples.npz` if there are images.

    Returns:
        The path of the page.

    Raises:
        UserError: the folder holds no report, one of a newer version, or one that was changed.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> data = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=1)
    >>> evaluation = tfrobust.evaluate(model, data, attack, checks="none", workdir="report")
    >>> tfrobust.evaluation.write_page("report").name
    'report.html'
    """
    report = ReportFiles.read(folder)
    path = pathlib.Path(folder, "report.html")
    try:
        text = _render(report)
    except (LookupError, TypeError, ValueError, AttributeError, jinja2.UndefinedError) as error:
        raise UserError(
            f"{folder} holds a report.json that no evaluation wrote ({one_line(error, 200)}). "
            "Run the same evaluation again; it writes its reports."
        ) from error
    files.write_text(path, text)
    return path


def _render(report):
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
    for clean, found, id, label, attack in zip(*(samples[name] for name in names), strict=True):
        delta = found - clean
        pictures = {"clean": clean, "adversarial": found, "difference": amplify(delta)}
        yield {
            "id": id,
            "pngs": [
                (what, base64.b64encode(encode_png(p)).decode()) for what, p in pictures.items()
            ],
            "caption": f"{id}, label {label}: {attack}, x {find_factor(delta):.3g}",
        }
