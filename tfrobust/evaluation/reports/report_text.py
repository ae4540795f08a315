"""`report.md`: what an evaluation found, for people."""

from tfrobust.evaluation.reports import tables
from tfrobust.evaluation.reports.headline import DISTRUST, explain
from tfrobust.runs.markdown import cell, plain, sentence, table

_WORSE = ("warning", *DISTRUST)


def format_report(report: dict) -> str:
    """Returns Markdown: headline, three sentences, accuracies, checks that fired, attacks, setting, costs.

    Args:
        report: what `summary.summarize_evaluation` or `read_report` returns.
    """
    ours = report["tfrobust"]
    rules = "".join(f"\n{plain(rule)}\n" for rule in tables.list_rules(ours))
    parts = [
        _head(ours),
        _table(tables.ACCURACIES, tables.list_accuracies(ours)) + rules,
        _fired(ours["findings"]),
        _attacks(ours["attacks"]),
        "## Setting\n\n" + _facts(tables.list_settings(ours)),
        _checks(ours["findings"]),
        _checklist(ours["checklist"]),
        "## Costs\n\n" + _facts(tables.list_costs(ours["costs"])),
        "Numbers of every kind: `report.json`. A row for each example: `examples.csv`.\n",
    ]
    return "\n".join(part for part in parts if part)


def _head(ours):
    # What stands in brackets is told below, in the table and in the setting.
    title = ours["headline"].partition(" (")[0]
    lines = [f"# {plain(title[:1].upper() + title[1:])}", "", sentence(" ".join(explain(ours))), ""]
    if not ours["findings"]:
        lines += ["No checks were made: nothing says whether to trust the number.", ""]
    return "\n".join(lines)


def _fired(findings):
    """What makes the number doubtful, by name, each with what to do; the worst comes first already."""
    fired = [f for f in findings if f["level"] in _WORSE]
    if not fired:
        return ""
    return "## What to look at\n\n" + "".join(
        f"- {_name(f)}: {sentence(f['text'])}{_advise(f)}\n" for f in fired
    )


def _name(finding):
    name = f"{plain(finding['id'])}, {plain(finding['title'])}"
    return f"**{name}**" if finding["level"] in DISTRUST else f"{name} ({finding['level']})"


def _advise(finding):
    # Reports of earlier versions have none.
    return f" *What to do:* {sentence(finding['advice'])}" if finding.get("advice") else ""


def _attacks(attacks):
    if not attacks:
        return "No attack was run.\n"
    text = f"## Attacks\n\n{_table(tables.ATTACKS, tables.list_attacks(attacks))}\n{tables.ATTACKS_NOTE}\n"
    return text + "".join(f"\n{plain(note)}\n" for note in tables.list_attack_notes(attacks))


def _checks(findings):
    if not findings:
        return ""
    rows = [list(map(cell, row)) for row in tables.list_checks(findings)]
    for row in rows:
        row[2] = f"**{row[2]}**" if row[2] in _WORSE else row[2]
    told = [
        f"- {_name(f)}: {sentence(f['text'])}{_advise(f)}\n"
        for f in findings
        if f["level"] == "info"
    ]
    return (
        "## Checks\n\n"
        + table(tables.CHECKS, rows)
        + f"\n{tables.CHECKS_NOTE}\n"
        + ("\n" if told else "")
        + "".join(told)
    )


def _checklist(items):
    return (
        "## Checklist of Carlini et al. (2019)\n\n"
        + _table(tables.CHECKLIST, tables.list_checklist(items))
        + "\nItems without a check are stated in this report, or not answered.\n"
    )


def _facts(pairs):
    return "".join(f"- {plain(name)}: {sentence(value)}\n" for name, value in pairs)


def _table(head, rows):
    return table(head, [list(map(cell, row)) for row in rows])
