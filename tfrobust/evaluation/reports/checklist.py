"""The checklist of Carlini et al., and what an evaluation has to say to each of its items."""

import dataclasses
from collections.abc import Iterable

from tfrobust.evaluation.checks.finding import LEVELS, Finding
from tfrobust.evaluation.engine.evaluation import Evaluation

STATES = ("answered", "partly", "in doubt", "not answered")


@dataclasses.dataclass(frozen=True)
class Item:
    """One item of the checklist.

    Args:
        text: what is asked for.
        checks: ids of the checks that answer it; "C18" stands for C18a and C18b, too, and
            "C16 or C39" for either of them.
        stated: name of what the report states itself, a key of what `collect_statements` returns; None if
            nothing but checks answers it.
    """

    text: str
    checks: tuple[str, ...] = ()
    stated: str | None = None


ITEMS = (
    Item("a precise threat model: norm, radius, pixel box", ("C2",), "always"),
    Item("an adaptive attack", ("C34", "C30")),
    Item("attacks with all their settings, and versions", (), "always"),
    Item("clean accuracy", ("C37",), "always"),
    Item("many steps beat one", ("C9",)),
    Item("more steps or restarts change nothing", ("C12", "C13")),
    Item("a larger radius is easier, an unbounded attack reaches guessing", ("C10", "C11", "C32")),
    Item("no black box beats the white box: transfer, scores, labels", ("C8", "C19", "C20")),
    Item("random noise", ("C15",)),
    Item("several attacks, the worst one for each example", ("C16 or C39", "C27"), "several"),
    Item("targeted and untargeted attacks", ("C16 or C39",), "targeted"),
    Item("means over noise, and ways around what has no gradient", ("C5", "C22", "C30")),
    Item("the attacks break what is known to be broken", ("C29", "C19")),
    Item("gradients are there, finite and not masked", ("C7", "C17", "C18", "C25")),
    Item("the loss during the attack", ("C12",)),
    Item("enough examples, intervals, seeds", ("C28", "C40", "C33")),
    Item("a proof as a lower bound", ("C43",), "certified"),
)


def collect_statements(evaluation: Evaluation) -> dict[str, bool]:
    """Returns what an evaluation states by itself: a dict of truth values, see `Item.stated`."""
    attacks = [outcome.attack for outcome in evaluation.outcomes]
    aims = {attack.is_targeted for attack in attacks}
    return {
        "always": True,
        "several": len(attacks) > 1,
        "targeted": len(aims) == 2,
        "certified": evaluation.certified is not None,
    }


def fill_checklist(evaluation: Evaluation) -> list[dict]:
    """Answers the checklist.

    "answered": the report states it, and every check for it was made and passed; "partly": some
    were, or one has a remark; "in doubt": one fired; "not answered": none was made, nor
    is it stated.

    Args:
        evaluation: `Evaluation`, with its findings.

    Returns:
        A list of dicts: "item", "state" (one of `STATES`), "checks" (ids that belong to it), "made"
        (ids of those that were made), "fired" (ids of those that make it doubtful).

    Reference: Carlini et al., "On Evaluating Adversarial Robustness", 2019.
    """
    stated = collect_statements(evaluation)
    return [_make_row(item, stated, evaluation.findings) for item in ITEMS]


def _make_row(item, stated, findings):
    mine = [f for f in findings if f.made and any(_belongs(f.id, c) for c in item.checks)]
    fired = {f.id for f in mine if f.fired}
    found = [[f for f in mine if _belongs(f.id, check)] for check in item.checks]
    # Of checks that were made the worst counts; one that was not made leaves a gap.
    parts = [bool(fs) and all(f.level == "passed" for f in fs) for fs in found]
    begun = [bool(fs) for fs in found]
    if item.stated:
        parts.append(stated[item.stated])
        begun.append(stated[item.stated])
    if fired:
        state = "in doubt"
    elif parts and all(parts):
        state = "answered"
    else:
        state = "partly" if any(begun) else "not answered"
    return {
        "item": item.text,
        "state": state,
        "checks": list(item.checks),
        "made": sorted({f.id for f in mine}),
        "fired": sorted(fired),
    }


def _belongs(id, check):
    return any(
        id == c or (id.startswith(c) and id[len(c) :].isalpha()) for c in check.split(" or ")
    )


def rank_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Sorts findings, the worst level first, in their order within a level."""
    return sorted(findings, key=lambda finding: -LEVELS.index(finding.level))
