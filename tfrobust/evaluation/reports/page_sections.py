"""The parts of `report.html` below its findings."""

from tfrobust.evaluation.reports.page_parts import image, level, safe, table
from tfrobust.evaluation.reports.wording import described, pair, percent, short
from tfrobust.plots import report_figures
from tfrobust.plots.inline_svg import inline_svg
from tfrobust.plots.pixels import amplified, factor, png


def attacks(attacks):
    """What each attack did, a table."""
    if not attacks:
        return "<section><h2>Attacks</h2><p>No attack was run.</p></section>"
    rows = [
        (
            safe(a["name"]),
            safe(a["attempted"]),
            safe(a["broken"]),
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


def charts(report):
    """The curves that there are numbers for."""
    figures = []
    for name, draw in report_figures.PICTURES.items():
        svg = inline_svg(lambda draw=draw: draw(report), name, name.replace("_", " "))
        if svg is not None:
            figures.append(f"<figure>{svg}</figure>")
    if not figures:
        return ""
    return f'<section><h2>Curves</h2><div class="charts">{"".join(figures)}</div></section>'


def images(samples):
    """Clean, adversarial and amplified differences of the samples."""
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


def setting(ours):
    """With what, on what and how it was evaluated."""
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


def checks(findings):
    """All checks, folded."""
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


def checklist(items):
    """The checklist, folded."""
    rows = [
        (safe(i["item"]), safe(", ".join(i["checks"]) or None), level(i["state"])) for i in items
    ]
    done = sum(i["state"] == "answered" for i in items)
    return (
        f"<details><summary>Checklist of Carlini et al. (2019): {done} of {len(items)} answered</summary>"
        f"{table(('asked for', 'checks', 'state'), rows, (0,))}</details>"
    )


def costs(costs):
    """Passes and seconds."""
    needed, computed = costs["needed"], costs["computed"]
    settings = (
        ("passes needed", f"{safe(needed[0])} F + {safe(needed[1])} B"),
        (
            "passes computed",
            f"{safe(computed[0])} F + {safe(computed[1])} B, padding {percent(costs['padding'])}",
        ),
        *(("passes not counted", safe(name)) for name in costs.get("uncounted", ())),
        ("AutoAttack equivalents", short(costs["autoattack_equivalents"])),
        (
            "seconds",
            f"{costs['seconds']:.1f}, in attacks {costs['attack_seconds']:.1f}, of them tracing "
            f"{costs['tracing_seconds']:.1f} ({safe(costs['traces'])} traces)",
        ),
        ("examples per second", short(costs["examples_per_second"])),
    )
    items = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in settings)
    return f"<section><h2>Costs</h2><dl>{items}</dl></section>"
