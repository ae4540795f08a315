"""`report.html`: an evaluation on one page that needs nothing else."""

import pathlib

from tfrobust.errors import UserError, one_line
from tfrobust.evaluation.reports import page_sections
from tfrobust.evaluation.reports.page_files import ReportFiles
from tfrobust.evaluation.reports.page_parts import level, safe, sentence
from tfrobust.evaluation.reports.page_style import CSS
from tfrobust.evaluation.reports.wording import percent
from tfrobust.runs import files


def write_page(folder):
    """Writes `report.html` from the other files in the folder of an evaluation, whole or not at all.

    One file without scripts and links, in which pictures and style are contained; it can be sent as
    it is.

    Args:
        folder: holds `report.json` and `examples.csv`, and `samples.npz` if there are images.

    Returns:
        The path of the page.

    Raises:
        UserError: the folder holds no report, one of a newer version, or one that somebody has changed.
    """
    report = ReportFiles.read(folder)
    path = pathlib.Path(folder, "report.html")
    try:
        text = _page(report)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{folder} holds a report.json that is not as an evaluation writes it ({one_line(error, 200)}). "
            "Give the same evaluation again, it writes its reports."
        ) from error
    files.write_text(path, text)
    return path


def _page(report):
    ours = report.ours
    parts = (
        _headline(ours),
        _findings(ours["findings"]),
        page_sections.attacks(ours["attacks"]),
        page_sections.charts(report),
        page_sections.images(report.samples),
        page_sections.setting(ours),
        page_sections.checks(ours["findings"]),
        page_sections.checklist(ours["checklist"]),
        page_sections.costs(ours["costs"]),
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{safe(ours["headline"])}</title>
<style>{CSS}</style>
</head>
<body>
<main>
{"".join(parts)}
</main>
</body>
</html>
"""


def _headline(ours):
    clean, bound = ours["clean"], ours["robust"]
    shown = bound or clean
    low, high = shown["interval"]
    if bound is None:
        title, sign = "clean accuracy, nothing attacked", ""
    elif ours["estimate"]:
        title, sign = "robust accuracy, upper bound", "<small>&le;</small> "
    else:
        title, sign = f"accuracy under {ours['suite']}, no estimate of robust accuracy", ""
    doubts = [f["id"] for f in ours["findings"] if f["level"] in ("severe", "error")]
    stamp = f'<p class="stamp">not trustworthy: {safe(", ".join(doubts))}</p>' if doubts else ""
    count = len(ours["attacks"])
    union = f"union of {count} attack{'' if count == 1 else 's'}, " if count else ""
    mark = "" if bound is None else f'<u style="left:{100 * clean["accuracy"]:.2f}%"></u>'
    return f"""<header class="{"doubtful" if doubts else "sound"}">
{stamp}
<h1>{safe(title)}</h1>
<p class="number">{sign}{100 * shown["accuracy"]:.2f}<small> %</small></p>
<div class="scale"><i style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></i>{mark}
<b style="left:{100 * shown["accuracy"]:.2f}%"></b></div>
<p class="small soft">95 % interval {100 * low:.2f} to {100 * high:.2f} %, clean accuracy
{percent(clean["accuracy"])}</p>
<p>{safe(ours["model"])} on {safe(ours["data"])},
<strong>{safe(ours["norm"])} {safe(ours["epsilon"])}</strong>;
{safe(ours["suite"])}: {union}{safe(shown["right"])} of {safe(shown["total"])} examples stand.</p>
</header>
"""


def _findings(findings):
    if not findings:
        return '<p class="soft">Nothing was checked: no finding speaks for the number or against it.</p>'
    told = [f for f in findings if f["level"] != "passed"]
    passed = len(findings) - len(told)
    boxes = "".join(
        f'<div class="finding {safe(f["level"])}">{level(f["level"])} <strong>{safe(f["id"])}, '
        f"{safe(f['title'])}</strong><br>{sentence(f['text'])}</div>"
        for f in told
    )
    count = f"{passed} check{'' if passed == 1 else 's'} passed."
    return f'<section><h2>Findings</h2>{boxes}<p class="soft">{count}</p></section>'
