"""`report.md`: what an evaluation found, for people."""

from tfrobust.evaluation.reports import tables
from tfrobust.runs.markdown import cell, plain, sentence, table

_WORSE = ("warning", "severe", "error")


def format_report(report):
    """Markdown: the headline, what makes it doubtful, attacks, setting, checks, checklist, costs.

    Args:
        report: what `summary.summarize_evaluation` or `read_report` returns.
    """
    ours = report["tfrobust"]
    accuracies = _table(
        ("", "accuracy", "95 % interval", "right / all"), tables.accuracy_rows(ours)
    )
    parts = [
        _head(ours),
        accuracies,
        _attacks(ours["attacks"]),
        "## Setting\n\n" + _facts(tables.setting_facts(ours)),
        _checks(ours["findings"]),
        _checklist(ours["checklist"]),
        "## Costs\n\n" + _facts(tables.cost_facts(ours["costs"])),
        "Numbers of every kind: `report.json`. A row for each example: `examples.csv`.\n",
    ]
    return "\n".join(part for part in parts if part)


def _head(ours):
    title = ours["headline"]
    doubts = [f for f in ours["findings"] if f["level"] in ("severe", "error")]
    warnings = [f for f in ours["findings"] if f["level"] == "warning"]
    lines = [f"# {plain(title[:1].upper() + title[1:])}", ""]
    if doubts:
        lines += [f"- **{_name(f)}**: {sentence(f['text'])}" for f in doubts] + [""]
    if warnings:
        lines += ["Warnings:", ""]
        lines += [f"- {_name(f)}: {sentence(f['text'])}" for f in warnings] + [""]
    if not ours["findings"]:
        lines += ["Nothing was checked: no finding speaks for the number or against it.", ""]
    return "\n".join(lines)


def _name(finding):
    return f"{plain(finding['id'])}, {plain(finding['title'])}"


def _attacks(attacks):
    if not attacks:
        return "No attack was run.\n"
    text = f"## Attacks\n\n{_table(tables.ATTACKS, tables.attack_rows(attacks))}\n{tables.ATTACKS_NOTE}\n"
    return text + "".join(f"\n{plain(note)}\n" for note in tables.attack_notes(attacks))


def _checks(findings):
    if not findings:
        return ""
    rows = [list(map(cell, row)) for row in tables.check_rows(findings)]
    for row in rows:
        row[2] = f"**{row[2]}**" if row[2] in _WORSE else row[2]
    told = [
        f"\n- {plain(f['id'])}: {sentence(f['text'])}" for f in findings if f["level"] == "info"
    ]
    return "## Checks\n\n" + table(tables.CHECKS, rows) + "".join(told) + ("\n" if told else "")


def _checklist(items):
    return (
        "## Checklist of Carlini et al. (2019)\n\n"
        + _table(tables.CHECKLIST, tables.checklist_rows(items))
        + "\nWhat belongs to no check is stated in this report, or not at all.\n"
    )


def _facts(pairs):
    return "".join(f"- {plain(name)}: {sentence(value)}\n" for name, value in pairs)


def _table(head, rows):
    return table(head, [list(map(cell, row)) for row in rows])
