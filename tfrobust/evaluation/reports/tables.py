"""What the text and the page of an evaluation show, as rows: each of them is made once, here.

A table is a tuple of titles and rows of plain text; facts are pairs of a name and plain text, in which
code stands between backticks. Escaping, and what is bold, are the business of whoever draws them.
"""

from tfrobust.evaluation.reports.wording import describe, pair, percent, short

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
    "Every attack begins at the clean image. Alone: accuracy under that attack only, known where it was "
    "given all examples that are right when clean. Cumulative: under it and those above. F and B: forward "
    "and backward passes for an example that it did not break. Busy: share of computed steps on "
    "unfinished searches."
)
CHECKS = ("id", "check", "level", "value", "threshold", "examples")
CHECKLIST = ("asked for", "checks", "state")


def accuracy_rows(ours):
    """Clean accuracy, and that under the suite: name, accuracy, interval, counts."""
    rows = [("clean", ours["clean"])]
    lost = ours.get("unanswered")
    if lost and lost["right"]:
        rows.append((f"without finite logits in the ball, count as {ours['nan_counts']}", lost))
    if ours["robust"]:
        rows.append((f"under {ours['suite']}, at most", ours["robust"]))
    return [
        (name, percent(c["accuracy"]), write_interval(c), f"{c['right']} / {c['total']}")
        for name, c in rows
    ]


def attack_rows(attacks):
    """A row of `ATTACKS` for each attack."""
    return [
        (
            a["name"],
            str(a["attempted"]),
            str(a["broken"]),
            percent(a["marginal"] and a["marginal"]["accuracy"]),
            percent(a["cumulative"]["accuracy"]),
            f"{a['seconds']:.1f}",
            pair(a["passes"]["needed_where_not_broken"]),
            pair(a["passes"]["theory_where_not_broken"]),
            short(a["busy"]),
        )
        for a in attacks
    ]


def attack_notes(attacks):
    """Sentences on what was found and not counted, and on distances."""
    rejected = [f"{a['name']} {a['rejected']}" for a in attacks if a["rejected"]]
    if rejected:
        yield f"Not counted, since the second look did not confirm them: {', '.join(rejected)}."
    outvoted = [f"{a['name']} {a['outvoted']}" for a in attacks if a.get("outvoted")]
    if outvoted:
        yield f"Not counted, since most passes of the vote are right: {', '.join(outvoted)}."
    for a in attacks:
        distance = a["distance"]
        if distance and distance["measured"]:
            adbd = distance["adbd"]
            yield (
                f"{a['name']}: smallest distances of {distance['measured']} examples, median "
                f"{short(distance['quantiles'][2])}, mean {short(distance['mean'])}; "
                f"{distance['missing']} have none, since no misclassified image was found."
                + (f" ADBD {short(adbd)}." if adbd is not None else "")
            )


def setting_facts(ours):
    """With what, on what and how it was evaluated: pairs of a name and a text."""
    yield "model", ours["model"]
    yield "data", f"{ours['data']}, {ours['examples']} examples, {ours['num_classes']} classes"
    yield (
        "threat model",
        f"`{ours['threat_model']}`, radius {short(ours['radius'])}, pixels in [0, 1]",
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
        rule = f"a vote of {ours['votes']} passes; wrong in at least half of them is misclassified"
        yield "every image is judged by", rule
    if ours.get("nan_counts"):
        yield "images without finite logits count as", ours["nan_counts"]
    for id, settings in ours.get("thresholds", {}).items():
        changed = ", ".join(f"{name} = {short(value)}" for name, value in settings.items())
        yield f"settings of {id}, not the default", changed
    for name, value in ours["environment"].items():
        if value is not None:
            yield name, describe(value)


def check_rows(findings):
    """A row of `CHECKS` for each check."""
    return [
        (
            f["id"],
            f["title"],
            f["level"],
            short(f["value"]),
            short(f["threshold"]),
            ", ".join(map(str, f["examples"])) or "-",
        )
        for f in findings
    ]


def checklist_rows(items):
    """A row of `CHECKLIST` for each item; what fired stands behind its state."""
    return [
        (
            item["item"],
            ", ".join(item["checks"]) or "-",
            item["state"] + (f": {', '.join(item['fired'])}" if item["fired"] else ""),
        )
        for item in items
    ]


def cost_facts(costs):
    """Passes and seconds: pairs of a name and a text."""
    needed, computed = costs["needed"], costs["computed"]
    yield "passes needed", f"{needed[0]} F + {needed[1]} B"
    yield (
        "passes computed",
        f"{computed[0]} F + {computed[1]} B, padding {percent(costs['padding'])}",
    )
    for name in costs.get("uncounted", ()):
        yield "passes not counted", name
    yield (
        "AutoAttack equivalents",
        f"{short(costs['autoattack_equivalents'])} (F + B needed / 9762 / robust examples)",
    )
    yield (
        "seconds",
        f"{costs['seconds']:.1f}, in attacks {costs['attack_seconds']:.1f}, of them tracing "
        f"{costs['tracing_seconds']:.1f} ({costs['traces']} traces)",
    )
    yield "examples per second", short(costs["examples_per_second"])


def write_interval(count):
    """The 95 % interval of an accuracy."""
    low, high = count["interval"]
    return f"{100 * low:.2f} to {100 * high:.2f} %"
