"""Checks that the attacks have not stopped short: C9, C12, C13, C14, C33."""

import numpy as np

from tfrobust.evaluation.checks.answers import chosen, more_than, percent
from tfrobust.evaluation.checks.finding import Finding


def one_step(runs, limits):
    """C9: many steps break what one step breaks."""
    title, limit = "one step against many", limits.one_step_share
    only = ~runs.one_step & runs.climb().robust & runs.on_entropy_any
    share = float(only.mean())
    ids = chosen(runs.probe.ids, only)
    if not only.any():
        text = "Attacks of many steps break all that one step breaks."
        return Finding("C9", title, "passed", share, limit, text)
    text = f"One step breaks {percent(share)} of the examples that {2 * limits.steps} steps do not."
    if more_than(share, limit, len(only), limits.least):
        text += " The long attack fails: gradients mislead it, or its steps are too long."
        return Finding("C9", title, "warning", share, limit, text, ids)
    return Finding("C9", title, "info", share, limit, text, ids)


def steps(runs, limits):
    """C12: twice as many steps find nothing new, and the loss has stopped rising.

    What another attack breaks as well is not new: no single attack finds all.
    """
    title, limit = "convergence", limits.steps_difference
    long = runs.climb().robust
    new = runs.after(limits.steps) & ~long & runs.others
    gain = float(new.mean())
    best = runs.history[:, long]
    span = np.maximum(best[-1] - best[0], 1e-12)
    late = (best[-1] - best[-1 - limits.late_steps]) / span > limits.late_progress
    share = float(late.mean()) if late.size else 0.0
    told = (
        f"{2 * limits.steps} steps instead of {limits.steps} break {percent(gain)} that nothing "
        "else does; of the "
        f"examples that stand {percent(share)} still gained in the last {limits.late_steps} steps."
    )
    if more_than(gain, limit, len(long), limits.least):
        ids = chosen(runs.probe.ids, new)
        text = f"{told} Take more steps, until nothing changes."
        return Finding("C12", title, "warning", gain, limit, text, ids)
    if share > limits.late_share and late.sum() >= limits.least:
        ids = runs.probe.ids[long][late]
        text = f"{told} The loss is still rising: take more steps or APGD."
        return Finding("C12", title, "warning", share, limits.late_share, text, tuple(ids))
    return Finding("C12", title, "passed", gain, limit, told)


def restarts(runs, limits):
    """C13: twice as many restarts find nothing new. What another attack breaks as well is not new."""
    title, limit = "restarts", limits.restarts_difference
    stand = np.logical_and.accumulate(
        [runs.climb(seed).robust for seed in range(2 * limits.restarts)]
    )
    new = stand[limits.restarts - 1] & ~stand[-1] & runs.others
    gain = float(new.mean())
    told = (
        "Robust accuracy after 1, 2, ... restarts: "
        f"{', '.join(map(percent, stand.mean(axis=1)))}; those after "
        f"the first {limits.restarts} break {percent(gain)} that nothing else does."
    )
    if more_than(gain, limit, len(new), limits.least):
        text = f"{told} Take more restarts, or more attacks."
        return Finding("C13", title, "warning", gain, limit, text, chosen(runs.probe.ids, new))
    return Finding("C13", title, "passed", gain, limit, told)


def silent_success(runs):
    """C14: what an attack passed by and did not keep."""
    lost = runs.on_entropy.robust & ~runs.on_entropy_any
    share = float(lost.mean())
    text = (
        f"An attack on the cross-entropy visits a misclassified image of {percent(share)} of the "
        "examples and ends at "
        "one that is classified right."
    )
    if not lost.any():
        return Finding("C14", "silent success", "passed", share, 0.0, text)
    text += " Count any iterate (selection='any'), as the attacks of the suites do."
    return Finding("C14", "silent success", "info", share, 0.0, text, chosen(runs.probe.ids, lost))


def seeds(runs, limits):
    """C33: another seed gives the same accuracy."""
    title, limit = "seeds", limits.seed_difference
    first, second = runs.climb(0).robust, runs.climb(1).robust
    difference = float(abs(first.mean() - second.mean()))
    level = "info" if more_than(difference, limit, len(first), limits.least) else "passed"
    text = (
        f"Two seeds give {percent(first.mean())} and {percent(second.mean())} robust accuracy, both together "
        f"{percent((first & second).mean())}."
        + (" Report several seeds, or take restarts." if level == "info" else "")
    )
    return Finding(
        "C33", title, level, difference, limit, text, chosen(runs.probe.ids, first != second)
    )
