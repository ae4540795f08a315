"""Checks between attacks with and without gradients, on a finished evaluation: C8, C19, C20."""

import numpy as np

from tfrobust.attacks.rays import RayS
from tfrobust.attacks.square import Square
from tfrobust.attacks.transfer import Transfer
from tfrobust.evaluation.checks.answers import chosen, percent, skipped
from tfrobust.evaluation.checks.finding import Finding

_ADVICE = (
    " The gradients hide what is there to be found: look at C7, C18 and C30, attack a smooth stand-in of the "
    "model, and do not report this number as robustness."
)


def black_box(evaluation, limits):
    """C8: attacks without gradients break nothing that those with gradients leave."""
    title = "black box against white box"
    white, black = _sides(evaluation)
    if not white or not black:
        lack = "with gradients" if not white else "without gradients"
        return skipped("C8", title, f"no attack {lack} is in the suite.")
    squares = [outcome for outcome in black if isinstance(outcome.attack, Square)]
    all_black, by_square = _only(evaluation, black), _only(evaluation, squares)
    share, least = float(all_black.mean()), limits.black_box_least
    single = len(white) == 1 and white[0].attack.runs(evaluation.num_classes) == 1
    limit = limits.black_box_share_single if single else limits.black_box_share
    ids = chosen(evaluation.ids, all_black)
    text = (
        f"Attacks without gradients break {percent(share)} of the examples that the attacks with gradients "
        "before them had left."
    )
    # Square's stage alone is AutoAttack's rule, made for whole suites.
    square_gains = not single and by_square.mean() > limits.square_gain
    if (share > limit or square_gains) and all_black.sum() >= least:
        return Finding("C8", title, _level(share, limits), share, limit, text + _ADVICE, ids)
    return Finding("C8", title, "passed", share, limit, text, ids)


def transfer(evaluation, limits):
    """C19: images made on other models break less than the model's own gradients do."""
    title = "transfer"
    there = [o for o in evaluation.outcomes if isinstance(o.attack, Transfer)]
    if not there:
        why = (
            "no transferred images were tried. Give a surrogate, such as an undefended model of the same "
            "architecture."
        )
        return skipped("C19", title, why)
    return _against("C19", title, "Transferred images", evaluation, there, limits)


def hard_label(evaluation, limits):
    """C20: RayS, which sees the predicted class only, breaks less than the other attacks do."""
    title = "hard label"
    there = [o for o in evaluation.outcomes if isinstance(o.attack, RayS)]
    if not there:
        return skipped("C20", title, "RayS is not in the suite.")
    distances = np.concatenate([o.measures.get("distance", ()) for o in there])
    finding = _against("C20", title, "RayS", evaluation, there, limits)
    found = distances[np.isfinite(distances)]
    if not found.size:
        return finding
    said = (
        f"{finding.text} Its median distance is {np.median(found):.4g}, over the {found.size} examples that "
        "it broke at any distance."
    )
    return Finding(
        "C20", title, finding.level, finding.value, finding.threshold, said, finding.examples
    )


def _against(id, title, name, evaluation, there, limits):
    """Compares robust accuracies on the same examples, or else counts what the others had left."""
    white = _sides(evaluation)[0]
    only = _only(evaluation, there)
    ids = chosen(evaluation.ids, only)
    if not white:
        text = f"{name} break {percent(only.mean())} of the examples; no gradient attack to compare with."
        return Finding(id, title, "info", float(only.mean()), None, text)
    if not evaluation.individual:
        share = float(only.mean())
        text = f"{name} break {percent(share)} of the examples that the attacks with gradients had left."
        fired = share > limits.black_box_share and only.sum() >= limits.black_box_least
        level, text = (_level(share, limits), text + _ADVICE) if fired else ("passed", text)
        return Finding(id, title, level, share, limits.black_box_share, text, ids)
    own, other = (
        1 - _union(evaluation, group)[evaluation.clean].mean() for group in (white, there)
    )
    gap = float(own - other)
    text = (
        f"Of the examples that are right at the clean image {percent(other)} stand {name} and {percent(own)} "
        "the attacks with gradients."
    )
    if gap > 0 and only.sum() >= limits.black_box_least:
        return Finding(id, title, "severe", gap, 0.0, text + _ADVICE, ids)
    return Finding(id, title, "passed", gap, 0.0, text, ids)


def _level(share, limits):
    """A gain of a point or two may be chance; of more the gradients hide something."""
    return "severe" if share > limits.black_box_share_severe else "warning"


def _sides(evaluation):
    """Outcomes of attacks with gradients, and of those without."""
    white = [o for o in evaluation.outcomes if o.attack.needs_gradient]
    return white, [o for o in evaluation.outcomes if not o.attack.needs_gradient]


def _union(evaluation, outcomes):
    return np.any([np.zeros(len(evaluation.ids), bool), *(o.broken for o in outcomes)], axis=0)


def _only(evaluation, outcomes):
    """What these outcomes broke and no gradient attack that was given it did, boolean (n,).

    An example that no gradient attack was given says nothing.
    """
    white = _sides(evaluation)[0]
    given = np.any([np.zeros(len(evaluation.ids), bool), *(o.attempted for o in white)], axis=0)
    return _union(evaluation, outcomes) & given & ~_union(evaluation, white)
