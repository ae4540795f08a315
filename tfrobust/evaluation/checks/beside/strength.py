"""Checks that the attacks did not stop too early: C9, C12, C13, C14, C33."""

import numpy as np

from tfrobust.evaluation.checks.answers import exceeds, format_share, pick_ids
from tfrobust.evaluation.checks.beside.runs import Runs
from tfrobust.evaluation.checks.check import LEAST, Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding

ONE_STEP = Check(
    "C9",
    "one step against many",
    measures="How many examples are broken by one step and not by many steps.",
    why="A long attack contains the short one; if it finds less, gradients mislead it or its steps are too "
    "long.",
    advice="Take another step size, other losses, or attacks without gradients.",
    settings={"share": Setting(0.005, "of examples; more are a warning"), "least": LEAST},
)
CONVERGENCE = Check(
    "C12",
    "convergence",
    measures="How many examples only an attack of twice as many steps breaks, and whether its loss still "
    "rises at the end.",
    why="An attack that has not converged says nothing about robustness.",
    advice="Take more steps until nothing changes, or APGD.",
    settings={
        "share": Setting(
            0.005, "of examples that only the longer attack breaks; more are a warning"
        ),
        "late_steps": Setting(10, "the last steps of the attack"),
        "late_progress": Setting(
            0.05, "share of the loss's rise in these steps, above which it still rises"
        ),
        "late_share": Setting(0.1, "of robust examples whose loss still rises; more are a warning"),
        "least": LEAST,
    },
)
RESTARTS = Check(
    "C13",
    "restarts",
    measures="How many examples only twice as many random starts break.",
    why="If another start finds more, so will the next one.",
    advice="Take more restarts, or more attacks.",
    settings={
        "restarts": Setting(2, "number of restarts; twice as many are tried"),
        "share": Setting(0.005, "of examples that only the later ones break; more are a warning"),
        "least": LEAST,
    },
)
SILENT_SUCCESS = Check(
    "C14",
    "silent success",
    measures="For how many examples an attack visits a misclassified image and ends at one that is right.",
    why="Attacks that return their last iterate lose these.",
    advice="Count any iterate (`selection='any'`), as the attacks of the suites do.",
)
SEEDS = Check(
    "C33",
    "seeds",
    measures="The difference of robust accuracy between two seeds.",
    why="It shows how much of the result is chance.",
    advice="Report several seeds, or take restarts.",
    settings={
        "difference": Setting(0.01, "of robust accuracy; more is worth a note"),
        "least": LEAST,
    },
)


def check_one_step(runs: Runs, limits: Limits) -> Finding:
    """C9: many steps break what one step breaks."""
    limit = limits[ONE_STEP].share
    only = ~runs.one_step & runs.many_steps
    share = float(only.mean())
    ids = pick_ids(runs.probe.ids, only)
    if not only.any():
        text = "Attacks of many steps break all that one step breaks."
        return ONE_STEP.finding("passed", share, limit, text)
    text = (
        f"One step breaks {format_share(share)} of the examples that attacks of many steps do not."
    )
    if exceeds(share, limit, len(only), limits[ONE_STEP].least):
        text += " The long attack fails: gradients mislead it, or its steps are too long."
        return ONE_STEP.finding("warning", share, limit, text, ids)
    return ONE_STEP.finding("info", share, limit, text, ids)


def check_convergence(runs: Runs, limits: Limits) -> Finding:
    """C12: twice as many steps find nothing new, and the loss has stopped rising.

    What another attack breaks as well is not new: no single attack finds all.
    """
    bounds = limits[CONVERGENCE]
    long = runs.climb().robust
    new = runs.robust_after(runs.steps) & ~long & runs.others
    gain = float(new.mean())
    best = runs.climb_history(bounds.late_steps)[:, long]
    span = np.maximum(best[-1] - best[0], 1e-12)
    late = (best[-1] - best[-1 - bounds.late_steps]) / span > bounds.late_progress
    share = float(late.mean()) if late.size else 0.0
    told = (
        f"{2 * runs.steps} steps instead of {runs.steps} break {format_share(gain)} that nothing "
        "else does; of the "
        f"robust examples {format_share(share)} still gained in the last {bounds.late_steps} steps."
    )
    if exceeds(gain, bounds.share, len(long), bounds.least):
        ids = pick_ids(runs.probe.ids, new)
        text = f"{told} Take more steps, until nothing changes."
        return CONVERGENCE.finding("warning", gain, bounds.share, text, ids)
    if share > bounds.late_share and late.sum() >= bounds.least:
        ids = runs.probe.ids[long][late]
        text = f"{told} The loss is still rising: take more steps or APGD."
        return CONVERGENCE.finding("warning", share, bounds.late_share, text, tuple(ids))
    return CONVERGENCE.finding("passed", gain, bounds.share, told)


def check_restarts(runs: Runs, limits: Limits) -> Finding:
    """C13: twice as many restarts find nothing new. What another attack breaks as well is not new."""
    bounds = limits[RESTARTS]
    left = [runs.climb().robust]
    for seed in range(1, 2 * bounds.restarts):
        left.append(runs.climb_again(seed, left[-1]))
    robust = np.array(left)
    new = robust[bounds.restarts - 1] & ~robust[-1] & runs.others
    gain = float(new.mean())
    told = (
        "Robust accuracy after 1, 2, ... restarts: "
        f"{', '.join(map(format_share, robust.mean(axis=1)))}; those after "
        f"the first {bounds.restarts} break {format_share(gain)} that nothing else does."
    )
    if exceeds(gain, bounds.share, len(new), bounds.least):
        text = f"{told} Take more restarts, or more attacks."
        return RESTARTS.finding("warning", gain, bounds.share, text, pick_ids(runs.probe.ids, new))
    return RESTARTS.finding("passed", gain, bounds.share, told)


def check_silent_success(runs: Runs, limits: Limits) -> Finding:
    """C14: what an attack passed by and did not keep."""
    lost = runs.on_entropy.robust & ~runs.on_entropy_any
    share = float(lost.mean())
    text = (
        f"An attack on the cross-entropy visits a misclassified image of {format_share(share)} of the "
        "examples and ends at "
        "one that is classified right."
    )
    if not lost.any():
        return SILENT_SUCCESS.finding("passed", share, 0.0, text)
    text += " Count any iterate (selection='any'), as the attacks of the suites do."
    return SILENT_SUCCESS.finding("info", share, 0.0, text, pick_ids(runs.probe.ids, lost))


def check_seeds(runs: Runs, limits: Limits) -> Finding:
    """C33: another seed gives the same accuracy."""
    limit = limits[SEEDS].difference
    first, second = runs.climb(0).robust, runs.climb(1).robust
    difference = float(abs(first.mean() - second.mean()))
    level = "info" if exceeds(difference, limit, len(first), limits[SEEDS].least) else "passed"
    text = (
        f"Two seeds give {format_share(first.mean())} and {format_share(second.mean())} robust accuracy, "
        f"both together {format_share((first & second).mean())}."
        + (" Report several seeds, or take restarts." if level == "info" else "")
    )
    return SEEDS.finding(level, difference, limit, text, pick_ids(runs.probe.ids, first != second))
