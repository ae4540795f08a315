"""Checks between attacks with and without gradients, on a finished evaluation: C8, C19, C20."""

import typing
from collections.abc import Sequence

import numpy as np

from tfrobust.attacks.rays import RayS
from tfrobust.attacks.square import Square
from tfrobust.attacks.transfer import Transfer
from tfrobust.evaluation.checks.answers import format_share, pick_ids
from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding

if typing.TYPE_CHECKING:
    from tfrobust.evaluation.engine.evaluation import Evaluation
    from tfrobust.evaluation.engine.outcome import Outcome

_SHARES = {
    "share": Setting(0.002, "of examples that no gradient attack broke; more are a warning"),
    "severe_share": Setting(
        0.03,
        "the same; more are severe. Honest models of the tests have at most 0.02, those that hide their "
        "gradients 0.02 to 0.29",
    ),
    "least": Setting(3, "fewer examples than this never make it fire"),
}
_WHY = "Such an attack knows less than one with gradients; if it finds more, the gradients mislead."
_WHAT_TO_DO = (
    "Look at C7, C18a and C30, attack a smooth stand-in of the model, and do not report the number as "
    "robustness."
)

BLACK_BOX = Check(
    "C8",
    "black box against white box",
    measures="How many examples are broken by attacks without gradients, after those with gradients failed.",
    why=_WHY,
    advice=_WHAT_TO_DO,
    settings={
        **_SHARES,
        "square_share": Setting(0.002, "AutoAttack's rule: the same, for Square in a whole suite"),
        "single_share": Setting(0.02, "the same, beside a single run of one gradient attack"),
    },
)
TRANSFER = Check(
    "C19",
    "transfer",
    measures="How many examples are broken by images made on other models, and not by the model's own "
    "gradients.",
    why=_WHY,
    advice=_WHAT_TO_DO,
    settings=_SHARES,
)
HARD_LABEL = Check(
    "C20",
    "hard label",
    measures="How many examples are broken by RayS, which sees only the class, and not by gradients.",
    why=_WHY,
    advice=_WHAT_TO_DO,
    settings=_SHARES,
)

_ADVICE = (
    " The gradients hide adversarial images that exist: look at C7, C18a and C30, attack a smooth "
    "stand-in of the model, and do not report this number as robustness."
)


def check_black_box(evaluation: "Evaluation", limits: Limits) -> Finding:
    """C8: attacks without gradients break nothing that those with gradients leave."""
    bounds = limits[BLACK_BOX]
    white, black = _split_outcomes(evaluation)
    if not white or not black:
        lack = "with gradients" if not white else "without gradients"
        return BLACK_BOX.skip(f"no attack {lack} is in the suite.")
    squares = [outcome for outcome in black if isinstance(outcome.attack, Square)]
    all_black, by_square = _find_only(evaluation, black), _find_only(evaluation, squares)
    share = float(all_black.mean())
    single = len(white) == 1 and white[0].attack.runs(evaluation.num_classes) == 1
    limit = bounds.single_share if single else bounds.share
    ids = pick_ids(evaluation.ids, all_black)
    text = (
        f"Attacks without gradients break {format_share(share)} of the examples that the attacks with "
        "gradients before them had left."
    )
    # Square's stage alone is AutoAttack's rule, made for whole suites.
    square_gains = not single and by_square.mean() > bounds.square_share
    if (share > limit or square_gains) and all_black.sum() >= bounds.least:
        return BLACK_BOX.finding(_find_level(share, bounds), share, limit, text + _ADVICE, ids)
    return BLACK_BOX.finding("passed", share, limit, text, ids)


def check_transfer(evaluation: "Evaluation", limits: Limits) -> Finding:
    """C19: images made on other models break less than the model's own gradients do."""
    there = [o for o in evaluation.outcomes if isinstance(o.attack, Transfer)]
    if not there:
        why = (
            "no transferred images were tried. Give a surrogate, such as an undefended model of the same "
            "architecture."
        )
        return TRANSFER.skip(why)
    return _compare(TRANSFER, "Transferred images", evaluation, there, limits)


def check_hard_label(evaluation: "Evaluation", limits: Limits) -> Finding:
    """C20: RayS, which sees the predicted class only, breaks less than the other attacks do."""
    there = [o for o in evaluation.outcomes if isinstance(o.attack, RayS)]
    if not there:
        return HARD_LABEL.skip("RayS is not in the suite.")
    distances = np.concatenate([o.measures.get("distance", ()) for o in there])
    finding = _compare(HARD_LABEL, "RayS", evaluation, there, limits)
    found = distances[np.isfinite(distances)]
    if not found.size:
        return finding
    text = (
        f"{finding.text} Its median distance is {np.median(found):.4g}, over the {found.size} examples that "
        "it broke at any distance."
    )
    return HARD_LABEL.finding(
        finding.level, finding.value, finding.threshold, text, finding.examples
    )


def _compare(
    check: Check,
    name: str,
    evaluation: "Evaluation",
    there: "Sequence[Outcome]",
    limits: Limits,
) -> Finding:
    """Compares robust accuracies on the same examples, or else counts what the others had left."""
    bounds, white = limits[check], _split_outcomes(evaluation)[0]
    only = _find_only(evaluation, there)
    ids = pick_ids(evaluation.ids, only)
    if not white:
        share = float(only.mean())
        text = f"{name} break {format_share(share)} of the examples; no gradient attack to compare with."
        return check.finding("info", share, None, text)
    if not evaluation.individual:
        share = float(only.mean())
        text = f"{name} break {format_share(share)} of the examples that the attacks with gradients had left."
        fired = share > bounds.share and only.sum() >= bounds.least
        level, text = (_find_level(share, bounds), text + _ADVICE) if fired else ("passed", text)
        return check.finding(level, share, bounds.share, text, ids)
    own, other = (
        1 - _join_broken(evaluation, group)[evaluation.clean].mean() for group in (white, there)
    )
    gap = float(own - other)
    text = (
        f"Of the examples that are right at the clean image {format_share(other)} are robust to {name} and "
        f"{format_share(own)} to the attacks with gradients."
    )
    if gap > 0 and only.sum() >= bounds.least:
        return check.finding("severe", gap, 0.0, text + _ADVICE, ids)
    return check.finding("passed", gap, 0.0, text, ids)


def _find_level(share, bounds):
    """A gain of a point or two may be chance; of more the gradients hide something."""
    return "severe" if share > bounds.severe_share else "warning"


def _split_outcomes(evaluation):
    """Outcomes of attacks with gradients, and of those without."""
    white = [o for o in evaluation.outcomes if o.attack.needs_gradient]
    return white, [o for o in evaluation.outcomes if not o.attack.needs_gradient]


def _join_broken(evaluation, outcomes):
    """Which examples any of these outcomes broke, boolean (n,)."""
    return np.any([np.zeros(len(evaluation.ids), bool), *(o.broken for o in outcomes)], axis=0)


def _find_only(evaluation, outcomes):
    """What these outcomes broke and no gradient attack that was given it did, boolean (n,).

    An example that no gradient attack was given says nothing.
    """
    white = _split_outcomes(evaluation)[0]
    given = np.any([np.zeros(len(evaluation.ids), bool), *(o.attempted for o in white)], axis=0)
    return _join_broken(evaluation, outcomes) & given & ~_join_broken(evaluation, white)
