"""Checks that an evaluation's numbers hold together: C26, C27, C28."""

import numpy as np

from tfrobust.evaluation.checks.answers import chosen, percent
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.ops.interval import binomial_interval


def validity(evaluation):
    """C26: what attacks called a success stood the second look."""
    title = "second look"
    rejected = np.any(
        [np.zeros(len(evaluation.ids), bool), *(o.rejected for o in evaluation.outcomes)], axis=0
    )
    share = float(rejected.mean())
    if not rejected.any():
        text = (
            "All that was counted lies inside ball and box, is finite and misclassified in float32."
        )
        return Finding("C26", title, "passed", share, 0.0, text)
    names = ", ".join(o.name for o in evaluation.outcomes if o.rejected.any())
    text = (
        f"Results for {rejected.sum()} examples did not stand a second look in float32 and were not counted "
        f"({names}): outside ball or box, not finite, or classified right again. Is the model random, or "
        "in low precision?"
    )
    return Finding("C26", title, "error", share, 0.0, text, chosen(evaluation.ids, rejected))


def unanswered(evaluation):
    """C35, second part: the attacks met finite logits only."""
    title, lost = "logits in the ball", evaluation.unanswered
    share = float(lost.mean())
    if not lost.any():
        text = "Wherever an example stands, the logits that its attacks saw are finite."
        return Finding("C35", title, "passed", share, 0.0, text)
    text = (
        f"For {lost.sum()} examples that no attack broke the model gives NaN or infinity at an image of the "
        f"ball. They count as {evaluation.nan_counts}: a classifier that gives no number does not stand an "
        "attack. Find the operation that does so (a logarithm, a division, a root)."
    )
    level = "warning" if evaluation.nan_counts == "broken" else "severe"
    return Finding("C35", title, level, share, 0.0, text, chosen(evaluation.ids, lost))


def accounting(evaluation):
    """C27: every example is counted once, and each attack got what it should."""
    title, count = "accounting", len(evaluation.ids)
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
        return Finding("C27", title, "error", float(len(faults)), 0.0, text)
    without = f" {lost} without finite logits," if lost else ""
    robust, wrong = parts[1:]
    text = f"{parts[0]} broken,{without} {robust} robust and {wrong} wrong at the clean image make {count}."
    return Finding("C27", title, "passed", 0.0, 0.0, text)


def interval(evaluation, limits):
    """C28: how sure the robust accuracy is."""
    count, robust = len(evaluation.ids), int(evaluation.robust.sum())
    low, high = binomial_interval(robust, count)
    text = (
        f"Robust accuracy is {percent(robust / count)} of {count} examples, with a 95 % interval from "
        f"{percent(low)} to {percent(high)}."
    )
    level = "passed"
    if count < limits.few_examples:
        level, text = "warning", f"{text} That is too few for any statement; take more."
    elif count < limits.some_examples:
        level = "info"
    return Finding("C28", "interval", level, high - low, None, text)
