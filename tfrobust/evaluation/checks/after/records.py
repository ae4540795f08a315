"""Checks that an evaluation's numbers hold together: C26, C27, C40, C42."""

import typing

import numpy as np

from tfrobust.evaluation.checks.answers import format_share, pick_ids
from tfrobust.evaluation.checks.check import Check
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.ops.uncertainty.interval import binomial_interval

if typing.TYPE_CHECKING:
    from tfrobust.evaluation.engine.evaluation import Evaluation

SECOND_LOOK = Check(
    "C26",
    "second look",
    measures="Whether all that attacks called a success lies inside ball and box, is finite, and is "
    "misclassified in a fresh float32 pass.",
    why="Other results are not counted, and show that the attack or the model is faulty.",
    advice="Check whether the model is random or in low precision; if not, report the attack as a fault.",
)
UNANSWERED = Check(
    "C42",
    "logits under attack",
    measures="How many examples no attack broke although the model gave NaN or infinity in the ball.",
    why="A classifier that gives no number is not robust there. Severe if such examples count as robust.",
    advice="Find the operation that does so: a logarithm, a division, a root.",
)
ACCOUNTING = Check(
    "C27",
    "accounting",
    measures="Whether every example is counted once, and each attack got the examples that it should.",
    why="Accuracies that do not add up mean nothing.",
    advice="Report it: this is a fault of tfrobust.",
)
INTERVAL = Check(
    "C40",
    "interval",
    measures="Wilson's 95 % interval of the robust accuracy.",
    why="It says how far the number may be from that on all examples of their kind; it judges nothing.",
    advice="Report it beside the accuracy, and take more examples if it is too wide (C28).",
)


def check_second_look(evaluation: "Evaluation") -> Finding:
    """C26: what attacks called a success is confirmed by the second look."""
    rejected = np.any(
        [np.zeros(len(evaluation.ids), bool), *(o.rejected for o in evaluation.outcomes)], axis=0
    )
    share = float(rejected.mean())
    if not rejected.any():
        text = (
            "All that was counted lies inside ball and box, is finite and misclassified in float32."
        )
        return SECOND_LOOK.finding("passed", share, 0.0, text)
    names = ", ".join(o.name for o in evaluation.outcomes if o.rejected.any())
    text = (
        f"Results for {rejected.sum()} examples were not confirmed by a second look in float32 and were "
        f"not counted ({names}): outside ball or box, not finite, or classified right again. Is the "
        "model random, or in low precision?"
    )
    return SECOND_LOOK.finding("error", share, 0.0, text, pick_ids(evaluation.ids, rejected))


def check_unanswered(evaluation: "Evaluation") -> Finding:
    """C42: the attacks met finite logits only."""
    lost = evaluation.unanswered
    share = float(lost.mean())
    if not lost.any():
        text = "For every example that no attack broke, the logits that its attacks saw are finite."
        return UNANSWERED.finding("passed", share, 0.0, text)
    text = (
        f"For {lost.sum()} examples that no attack broke the model gives NaN or infinity at an image of the "
        f"ball. They count as {evaluation.nan_counts}: a classifier that gives no number is not "
        "robust. Find the operation that does so (a logarithm, a division, a root)."
    )
    level = "warning" if evaluation.nan_counts == "broken" else "severe"
    return UNANSWERED.finding(level, share, 0.0, text, pick_ids(evaluation.ids, lost))


def check_accounting(evaluation: "Evaluation") -> Finding:
    """C27: every example is counted once, and each attack got what it should."""
    count = len(evaluation.ids)
    standing, faults = evaluation.clean.copy(), []
    for outcome in evaluation.outcomes:
        due = evaluation.clean if evaluation.individual else standing
        if (outcome.attempted != due).any():
            faults.append(f"{outcome.name} was not given the examples that it should")
        if (outcome.broken & ~outcome.attempted).any():
            faults.append(f"{outcome.name} broke examples that it was not given")
        if (outcome.broken & (outcome.rejected | outcome.outvoted | outcome.unanswered)).any():
            faults.append(f"{outcome.name} counts what was rejected")
        standing &= ~outcome.broken
    first = evaluation.first_broken_by
    lost = int((evaluation.standing & ~evaluation.robust).sum())
    parts = int((first >= 0).sum()), int(evaluation.robust.sum()), int((~evaluation.clean).sum())
    if sum(parts) + lost != count or (standing != evaluation.standing).any():
        faults.append(f"{parts[0]} broken, {parts[1]} robust and {parts[2]} wrong are not {count}")
    if faults:
        text = f"The counts do not hold together: {'; '.join(faults)}. This is a fault of tfrobust."
        return ACCOUNTING.finding("error", float(len(faults)), 0.0, text)
    without = f" {lost} without finite logits," if lost else ""
    robust, wrong = parts[1:]
    text = f"{parts[0]} broken,{without} {robust} robust and {wrong} wrong at the clean image make {count}."
    return ACCOUNTING.finding("passed", 0.0, 0.0, text)


def check_interval(evaluation: "Evaluation") -> Finding:
    """C40: how sure the robust accuracy is."""
    count, robust = len(evaluation.ids), int(evaluation.robust.sum())
    low, high = binomial_interval(robust, count)
    text = (
        f"Robust accuracy is {format_share(robust / count)} of {count} examples, with a 95 % interval from "
        f"{format_share(low)} to {format_share(high)}."
    )
    return INTERVAL.finding("passed", high - low, None, text)
