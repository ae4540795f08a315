"""`report.md`: what an evaluation found, for people."""

from tfrobust.evaluation.reports.wording import described, pair, percent, short
from tfrobust.runs.markdown import code, plain, sentence, table

_WORSE = ("warning", "severe", "error")


def report_text(report):
    """Markdown: the headline, what makes it doubtful, attacks, setting, checks, checklist, costs.

    Args:
        report: what `summary.summarised` or `read_report` returns.
    """
    ours = report["tfrobust"]
    parts = [
        _head(ours),
        _accuracies(ours),
        _attacks(ours["attacks"]),
        _setting(ours),
        _checks(ours["findings"]),
        _checklist(ours["checklist"]),
        _costs(ours["costs"]),
        "Numbers of every kind: `report.json`. A row for each example: `examples.csv`.\n",
    ]
    return "\n".join(part for part in parts if part)


def _head(ours):
    title = ours["headline"]
    doubts = [f for f in ours["findings"] if f["level"] in ("severe", "error")]
    warnings = [f for f in ours["findings"] if f["level"] == "warning"]
    lines = [f"# {plain(title[:1].upper() + title[1:])}", ""]
    if doubts:
        lines += [
            f"- **{plain(f['id'])}, {plain(f['title'])}**: {sentence(f['text'])}" for f in doubts
        ] + [""]
    if warnings:
        lines += ["Warnings:", ""]
        lines += [
            f"- {plain(f['id'])}, {plain(f['title'])}: {sentence(f['text'])}" for f in warnings
        ] + [""]
    if not ours["findings"]:
        lines += ["Nothing was checked: no finding speaks for the number or against it.", ""]
    return "\n".join(lines)


def _accuracies(ours):
    rows = [("clean", ours["clean"])]
    lost = ours.get("unanswered")
    if lost and lost["right"]:
        rows.append(
            (f"without finite logits in the ball, count as {plain(ours['nan_counts'])}", lost)
        )
    if ours["robust"]:
        rows.append((f"under {plain(ours['suite'])}, at most", ours["robust"]))
    return table(
        ("", "accuracy", "95 % interval", "right / all"),
        [
            (
                name,
                percent(c["accuracy"]),
                f"{100 * c['interval'][0]:.2f} to {100 * c['interval'][1]:.2f} %",
                f"{plain(c['right'])} / {plain(c['total'])}",
            )
            for name, c in rows
        ],
    )


def _attacks(attacks):
    if not attacks:
        return "No attack was run.\n"
    rows = []
    for a in attacks:
        needed, theory = (
            a["passes"]["needed_where_not_broken"],
            a["passes"]["theory_where_not_broken"],
        )
        rows.append(
            (
                plain(a["name"]),
                plain(a["attempted"]),
                plain(a["broken"]),
                percent(a["marginal"] and a["marginal"]["accuracy"]),
                percent(a["cumulative"]["accuracy"]),
                f"{a['seconds']:.1f}",
                pair(needed),
                pair(theory),
                short(a["busy"]),
            )
        )
    head = (
        "attack",
        "attempted",
        "broken",
        "alone",
        "cumulative",
        "seconds",
        "F + B needed",
        "F + B in theory",
        "busy",
    )
    text = f"""## Attacks

{table(head, rows)}
Every attack begins at the clean image. "alone" is the accuracy under that attack only, known where it was
given all examples that are right when clean; "cumulative" that under it and those above. F and B are forward
and backward passes for an example that it did not break; "busy" is the share of computed steps on unfinished
searches.
"""
    rejected = [f"{plain(a['name'])} {plain(a['rejected'])}" for a in attacks if a["rejected"]]
    if rejected:
        text += f"Not counted, since the second look did not confirm them: {', '.join(rejected)}.\n"
    outvoted = [f"{plain(a['name'])} {plain(a['outvoted'])}" for a in attacks if a.get("outvoted")]
    if outvoted:
        text += f"Not counted, since most passes of the vote are right: {', '.join(outvoted)}.\n"
    for a in attacks:
        d = a["distance"]
        if d and d["measured"]:
            text += (
                f"\n{plain(a['name'])}: smallest distances of {plain(d['measured'])} examples, median "
                f"{short(d['quantiles'][2])}, mean {short(d['mean'])}; {plain(d['missing'])} have none, "
                "since no misclassified image was found."
            )
            text += f" ADBD {short(d['adbd'])}.\n" if d["adbd"] is not None else "\n"
    return text


def _setting(ours):
    environment = ours["environment"]
    settings = [
        ("model", plain(ours["model"])),
        (
            "data",
            plain(f"{ours['data']}, {ours['examples']} examples, {ours['num_classes']} classes"),
        ),
        (
            "threat model",
            f"{code(ours['threat_model'])}, radius {ours['radius']:.6g}, pixels in [0, 1]",
        ),
        ("suite", plain(ours["suite"]) + _hash(ours["suite_hash"])),
        *((plain(a["name"]), code(a["attack"])) for a in ours["attacks"]),
        ("every attack got", "all examples" if ours["individual"] else "what stood before"),
        ("seed", plain(ours["seed"])),
        *_judged(ours),
        *(
            (plain(name), plain(described(value)))
            for name, value in environment.items()
            if value is not None
        ),
    ]
    lines = [f"- {name}: {value}" for name, value in settings]
    return "## Setting\n\n" + "\n".join(lines) + "\n"


def _judged(ours):
    """How images are judged, where it is not by one pass with finite logits."""
    votes = ours.get("votes", 1)
    if votes > 1:
        rule = f"a vote of {plain(votes)} passes; wrong in at least half of them is misclassified"
        yield "every image is judged by", rule
    if ours.get("nan_counts"):
        yield "images without finite logits count as", plain(ours["nan_counts"])


def _checks(findings):
    if not findings:
        return ""
    rows = [
        (
            plain(f["id"]),
            plain(f["title"]),
            f"**{f['level']}**" if f["level"] in _WORSE else plain(f["level"]),
            short(f["value"]),
            short(f["threshold"]),
        )
        for f in findings
    ]
    text = "## Checks\n\n" + table(("id", "check", "level", "value", "threshold"), rows)
    told = [f"- {plain(f['id'])}: {sentence(f['text'])}" for f in findings if f["level"] == "info"]
    shown = [
        f"- {plain(f['id'])} shows in examples {', '.join(map(plain, f['examples']))}"
        for f in findings
        if f["examples"]
    ]
    return text + "".join(f"\n{line}" for line in told + shown) + ("\n" if told + shown else "")


def _checklist(items):
    rows = [
        (
            plain(item["item"]),
            plain(", ".join(item["checks"]) or None),
            plain(item["state"] + (f": {', '.join(item['fired'])}" if item["fired"] else "")),
        )
        for item in items
    ]
    return (
        "## Checklist of Carlini et al. (2019)\n\n"
        + table(("asked for", "checks", "state"), rows)
        + "\nWhat belongs to no check is stated in this report, or not at all.\n"
    )


def _costs(costs):
    needed, computed = costs["needed"], costs["computed"]
    lines = [
        f"passes needed: {plain(needed[0])} F + {plain(needed[1])} B; computed: {plain(computed[0])} F "
        f"+ {plain(computed[1])} B "
        f"(padding {percent(costs['padding'])})"
        + "".join(f"; without those of {plain(name)}" for name in costs.get("uncounted", ())),
        "AutoAttack equivalents, F + B needed / 9762 / robust examples: "
        f"{short(costs['autoattack_equivalents'])}",
        f"seconds: {costs['seconds']:.1f} in all, {costs['attack_seconds']:.1f} in attacks, of them "
        f"{costs['tracing_seconds']:.1f} tracing ({plain(costs['traces'])} traces)",
        f"examples per second: {short(costs['examples_per_second'])}",
    ]
    return "## Costs\n\n" + "\n".join(f"- {line}" for line in lines) + "\n"


def _hash(value):
    return f", hash {code(value)}" if value else ""
