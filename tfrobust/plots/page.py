"""`report.html`: an evaluation on one page that needs nothing else."""

import pathlib

from tfrobust import files
from tfrobust.plots import report_figures
from tfrobust.plots.inline_svg import inline_svg
from tfrobust.plots.page_parts import (
    described,
    image,
    level,
    pair,
    percent,
    safe,
    sentence,
    short,
    table,
)
from tfrobust.plots.page_style import CSS
from tfrobust.plots.pixels import amplified, factor, png
from tfrobust.plots.report_files import ReportFiles


def write_page(folder):
    """Writes `report.html` from the other files in the folder of an evaluation, whole or not at all.

    One file without scripts and links, in which pictures and style are contained; it can be sent as
    it is.

    Args:
        folder: holds `report.json` and `examples.csv`, and `samples.npz` if there are images.

    Returns:
        The path of the page.

    Raises:
        UserError: the folder holds no report, or one of a newer version.
    """
    report = ReportFiles.read(folder)
    path = pathlib.Path(folder, "report.html")
    files.write_text(path, _page(report))
    return path


def _page(report):
    ours = report.ours
    parts = (
        _headline(ours),
        _findings(ours["findings"]),
        _attacks(ours["attacks"]),
        _charts(report),
        _images(report.samples),
        _setting(ours),
        _checks(ours["findings"]),
        _checklist(ours["checklist"]),
        _costs(ours["costs"]),
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
{safe(ours["suite"])}: {union}{shown["right"]} of {shown["total"]} examples stand.</p>
</header>
"""


def _findings(findings):
    if not findings:
        return '<p class="soft">Nothing was checked: no finding speaks for the number or against it.</p>'
    told = [f for f in findings if f["level"] != "passed"]
    passed = len(findings) - len(told)
    boxes = "".join(
        f'<div class="finding {f["level"]}">{level(f["level"])} <strong>{safe(f["id"])}, '
        f"{safe(f['title'])}</strong><br>{sentence(f['text'])}</div>"
        for f in told
    )
    count = f"{passed} check{'' if passed == 1 else 's'} passed."
    return f'<section><h2>Findings</h2>{boxes}<p class="soft">{count}</p></section>'


def _attacks(attacks):
    if not attacks:
        return "<section><h2>Attacks</h2><p>No attack was run.</p></section>"
    rows = [
        (
            safe(a["name"]),
            a["attempted"],
            a["broken"],
            percent(a["marginal"] and a["marginal"]["accuracy"]),
            f"<strong>{percent(a['cumulative']['accuracy'])}</strong>",
            f"{a['seconds']:.1f}",
            pair(a["passes"]["needed_where_not_broken"]),
            pair(a["passes"]["theory_where_not_broken"]),
            short(a["busy"]),
        )
        for a in attacks
    ]
    head = (
        "attack",
        "attempted",
        "broken",
        "alone",
        "cumulative",
        "seconds",
        "F + B needed",
        "in theory",
        "busy",
    )
    return f"""<section><h2>Attacks</h2>{table(head, rows)}
<p class="small soft">Every attack begins at the clean image. Alone: accuracy under that attack only, known
where it was given all examples that are right when clean. Cumulative: under it and those above. F and B:
forward and backward passes for an example that it did not break. Busy: share of computed steps on unfinished
searches.</p>
</section>
"""


def _charts(report):
    figures = []
    for name, draw in report_figures.PICTURES.items():
        svg = inline_svg(lambda draw=draw: draw(report), name, name.replace("_", " "))
        if svg is not None:
            figures.append(f"<figure>{svg}</figure>")
    if not figures:
        return ""
    return f'<section><h2>Curves</h2><div class="charts">{"".join(figures)}</div></section>'


def _images(samples):
    if samples is None:
        return ""
    figures = []
    for clean, found, id, label, attack in zip(
        *(samples[name] for name in ("clean", "images", "ids", "labels", "attacks")), strict=True
    ):
        delta = found - clean
        three = "".join(
            image(png(picture), f"example {id}, {what}")
            for picture, what in (
                (clean, "clean"),
                (found, "adversarial"),
                (amplified(delta), "difference"),
            )
        )
        caption = f"{id}, label {label}: {attack}, x {factor(delta):.3g}"
        figures.append(
            f'<figure><div class="three">{three}</div><figcaption>{safe(caption)}</figcaption></figure>'
        )
    return (
        '<section><h2>Clean, adversarial, difference amplified</h2><div class="images">'
        f"{''.join(figures)}</div></section>"
    )


def _setting(ours):
    hashed = f", hash <code>{safe(ours['suite_hash'])}</code>" if ours["suite_hash"] else ""
    settings = [
        ("model", safe(ours["model"])),
        (
            "data",
            safe(f"{ours['data']}, {ours['examples']} examples, {ours['num_classes']} classes"),
        ),
        (
            "threat model",
            f"<code>{safe(ours['threat_model'])}</code>, radius {short(ours['radius'])}, pixels in [0, 1]",
        ),
        ("suite", safe(ours["suite"]) + hashed),
        *((safe(a["name"]), f"<code>{safe(a['attack'])}</code>") for a in ours["attacks"]),
        ("every attack got", "all examples" if ours["individual"] else "what stood before"),
        ("seed", safe(ours["seed"])),
        *(
            (safe(name), safe(described(value)))
            for name, value in ours["environment"].items()
            if value is not None
        ),
    ]
    items = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in settings)
    return f"<section><h2>Setting</h2><dl>{items}</dl></section>"


def _checks(findings):
    if not findings:
        return ""
    rows = [
        (
            safe(f["id"]),
            safe(f["title"]),
            level(f["level"]),
            short(f["value"]),
            short(f["threshold"]),
            safe(", ".join(map(str, f["examples"])) or None),
        )
        for f in findings
    ]
    head = ("id", "check", "level", "value", "threshold", "examples")
    return f"<details><summary>All {len(findings)} checks</summary>{table(head, rows, (1, 5))}</details>"


def _checklist(items):
    rows = [
        (safe(i["item"]), safe(", ".join(i["checks"]) or None), level(i["state"])) for i in items
    ]
    done = sum(i["state"] == "answered" for i in items)
    return (
        f"<details><summary>Checklist of Carlini et al. (2019): {done} of {len(items)} answered</summary>"
        f"{table(('asked for', 'checks', 'state'), rows, (0,))}</details>"
    )


def _costs(costs):
    needed, computed = costs["needed"], costs["computed"]
    settings = (
        ("passes needed", f"{needed[0]} F + {needed[1]} B"),
        (
            "passes computed",
            f"{computed[0]} F + {computed[1]} B, padding {percent(costs['padding'])}",
        ),
        ("AutoAttack equivalents", short(costs["autoattack_equivalents"])),
        (
            "seconds",
            f"{costs['seconds']:.1f}, in attacks {costs['attack_seconds']:.1f}, of them tracing "
            f"{costs['tracing_seconds']:.1f} ({costs['traces']} traces)",
        ),
        ("examples per second", short(costs["examples_per_second"])),
    )
    items = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in settings)
    return f"<section><h2>Costs</h2><dl>{items}</dl></section>"
