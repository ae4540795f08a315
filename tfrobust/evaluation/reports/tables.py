"""What the text and the page of an evaluation show, as rows: each of them is made once, here.

A table is a tuple of titles and rows of plain text; settings and costs are pairs of a name and plain text,
in which code stands between backticks. `report_text` and `page` escape them and make cells bold.
"""

from collections.abc import Iterator, Sequence

from tfrobust.evaluation.reports.wording import describe, format_pair, format_percent, format_short

Rows = list[tuple[str, ...]]

ATTACKS = (
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
ATTACKS_NOTE = (
    "Every attack starts from the clean image. Alone: accuracy under that attack only, known where it was "
    "given all examples that are right when clean. Cumulative: under it and those above. F and B: forward "
    "and backward passes for an example that it did not break. Busy: share of computed steps on "
    "unfinished searches."
)
ACCURACIES = ("", "accuracy", "95 % interval", "right / all")
CHECKS = ("id", "check", "level", "value", "threshold", "examples")
CHECKS_NOTE = (
    "The threshold is an upper or a lower limit, as the check says. A difference of a single example passes "
    "even beyond it."
)
CHECKLIST = ("asked for", "checks", "state")


def list_accuracies(ours: dict) -> Rows:
    """Lists rows of `ACCURACIES`: clean, without finite logits where there are any, attacked, certified."""
    rows = [("clean", ours["clean"])]
    lost = ours.get("unanswered")
    if lost and lost["right"]:
        rows.append((f"without finite logits in the ball, counted as {ours['nan_counts']}", lost))
    if ours["robust"]:
        rows.append((f"under {ours['suite']}, at most", ours["robust"]))
    if ours.get("certified"):
        rows.append(("certified, at least", ours["certified"]))
    return [
        (name, format_percent(c["accuracy"]), format_interval(c), f"{c['right']} / {c['total']}")
        for name, c in rows
    ]


def list_rules(ours: dict) -> Iterator[str]:
    """Lists sentences on how examples were counted: by votes, and where logits are not finite.

    Example:
    >>> from tfrobust.evaluation.reports.tables import list_rules
    >>> list(list_rules({"votes": 1, "unanswered": None}))
    []
    """
    if ours.get("votes", 1) > 1:
        yield (
            f"The model is random: every image is judged by a vote of {ours['votes']} passes, and counts as "
            "misclassified if at least half of them misclassify it."
        )
    proven = ours.get("certified")
    if proven and ours.get("robust"):
        yield (
            f"Robust accuracy lies between {format_percent(proven['accuracy'])}, which is certified"
            # Reports of earlier versions don't say by what.
            + (f" ({proven['method']})" if proven.get("method") else "")
            + f", and {format_percent(ours['robust']['accuracy'])}, which no attack broke."
            + (
                f" {proven['spared']} certified examples were not attacked."
                if proven["spared"]
                else ""
            )
        )
    lost = ours.get("unanswered")
    if lost and lost["right"]:
        yield (
            f"For {lost['right']} of {lost['total']} examples, which no attack broke, the model gives NaN or "
            f"infinity at an image of the threat model. They count as {ours['nan_counts']}."
        )


def list_attacks(attacks: Sequence[dict]) -> Rows:
    """Lists a row of `ATTACKS` for each attack."""
    return [
        (
            a["name"],
            str(a["attempted"]),
            str(a["broken"]),
            format_percent(a["marginal"] and a["marginal"]["accuracy"]),
            format_percent(a["cumulative"]["accuracy"]),
            f"{a['seconds']:.1f}",
            format_pair(a["passes"]["needed_where_not_broken"]),
            format_pair(a["passes"]["theory_where_not_broken"]),
            format_short(a["busy"]),
        )
        for a in attacks
    ]


def list_attack_notes(attacks: Sequence[dict]) -> Iterator[str]:
    """Lists sentences on what was found and not counted, and on distances."""
    rejected = [f"{a['name']} {a['rejected']}" for a in attacks if a["rejected"]]
    if rejected:
        yield f"Not counted, since a fresh pass did not confirm them: {', '.join(rejected)}."
    outvoted = [f"{a['name']} {a['outvoted']}" for a in attacks if a.get("outvoted")]
    if outvoted:
        yield f"Not counted, since most passes of the vote are right: {', '.join(outvoted)}."
    for a in attacks:
        distance = a["distance"]
        if distance and distance["measured"]:
            adbd = distance["adbd"]
            yield (
                f"{a['name']}: smallest distances of {distance['measured']} examples, median "
                f"{format_short(distance['quantiles'][2])}, mean {format_short(distance['mean'])}; "
                f"{distance['missing']} have none, since no misclassified image was found."
                + (f" ADBD {format_short(adbd)}." if adbd is not None else "")
            )


def list_settings(ours: dict) -> Iterator[tuple[str, str]]:
    """Lists what was evaluated, on what and how: pairs of a name and a text."""
    yield "model", ours["model"]
    yield "data", f"{ours['data']}, {ours['examples']} examples, {ours['num_classes']} classes"
    yield (
        "threat model",
        f"`{ours['threat_model']}`, radius {format_short(ours['radius'])}, pixels in [0, 1]",
    )
    hashed = f", hash `{ours['suite_hash']}`" if ours["suite_hash"] else ""
    yield "suite", ours["suite"] + hashed
    for attack in ours["attacks"]:
        yield attack["name"], f"`{attack['attack']}`"
    yield (
        "every attack got",
        "all examples" if ours["individual"] else "the examples that no attack before it broke",
    )
    yield "seed", str(ours["seed"])
    if ours.get("votes", 1) > 1:
        yield "every image is judged by", f"a vote of {ours['votes']} passes"
    if ours.get("nan_counts"):
        yield "images without finite logits count as", ours["nan_counts"]
    for id, settings in ours.get("thresholds", {}).items():
        changed = ", ".join(f"{name} = {format_short(value)}" for name, value in settings.items())
        yield f"settings of {id}, not the default", changed
    for name, value in ours["environment"].items():
        if value is not None:
            yield name, describe(value)


def list_checks(findings: Sequence[dict]) -> Rows:
    """Lists a row of `CHECKS` for each check."""
    return [
        (
            f["id"],
            f["title"],
            f["level"],
            format_short(f["value"]),
            format_short(f["threshold"]),
            ", ".join(map(str, f["examples"])) or "-",
        )
        for f in findings
    ]


def list_checklist(items: Sequence[dict]) -> Rows:
    """Lists a row of `CHECKLIST` for each item; the checks that fired follow its state."""
    return [
        (
            item["item"],
            ", ".join(item["checks"]) or "-",
            item["state"] + (f": {', '.join(item['fired'])}" if item["fired"] else ""),
        )
        for item in items
    ]


def list_costs(costs: dict) -> Iterator[tuple[str, str]]:
    """Lists passes and seconds: pairs of a name and a text."""
    needed, computed = costs["needed"], costs["computed"]
    yield "passes needed", f"{needed[0]} F + {needed[1]} B"
    yield (
        "passes computed",
        f"{computed[0]} F + {computed[1]} B, padding {format_percent(costs['padding'])}",
    )
    for name in costs.get("uncounted", ()):
        yield "passes not counted", name
    yield (
        "AutoAttack equivalents",
        f"{format_short(costs['autoattack_equivalents'])} (F + B needed / 9762 / robust examples)",
    )
    yield (
        "seconds",
        f"{costs['seconds']:.1f}, in attacks {costs['attack_seconds']:.1f}, of them tracing "
        f"{costs['tracing_seconds']:.1f} ({costs['traces']} traces)",
    )
    if costs.get("streams", 1) > 1:
        yield "streams", f"{costs['streams']}, of one core each"
    yield "examples per second", format_short(costs["examples_per_second"])


def format_interval(count: dict) -> str:
    """Formats the 95 % interval of an accuracy.

    Example:
    >>> from tfrobust.evaluation.reports.tables import format_interval
    >>> format_interval({"interval": (0.25, 0.5)})
    '25.00 to 50.00 %'
    """
    low, high = count["interval"]
    return f"{100 * low:.2f} to {100 * high:.2f} %"
