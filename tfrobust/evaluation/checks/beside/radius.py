"""Checks of what larger radii do: C10, C11, C32."""

import itertools

import numpy as np
import tensorflow as tf

from tfrobust.evaluation.checks.answers import exceeds, format_share, pick_ids
from tfrobust.evaluation.checks.beside.runs import Runs
from tfrobust.evaluation.checks.check import LEAST, Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding

_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)

LARGER_RADII = Check(
    "C10",
    "larger radii",
    measures="Whether robust accuracy rises anywhere as the radius grows.",
    why="Every image of the smaller ball lies in the larger one, so that only a failing attack finds less "
    "there.",
    advice="Distrust the gradients: see C7, C18a and C30, and compare with Square and RayS.",
    settings={"increase": Setting(0.005, "of robust accuracy; more is a warning"), "least": LEAST},
)
NO_BOUND = Check(
    "C11",
    "no bound",
    measures="Robust accuracy where every image may become mid-grey, and where every image is allowed.",
    why="At mid-grey one answer serves all examples, so that at most the examples of its class can be right; "
    "with every image allowed none can.",
    advice="The attack fails, not the classifier: none of its results can be trusted.",
    settings={"sigmas": Setting(3.0, "standard deviations above guessing that are still chance")},
)
RADII_CURVE = Check(
    "C32",
    "accuracy over the radius",
    measures="Robust accuracy at several radii, and the radius at which half of the examples are broken.",
    why="The curve must come down to what mid-grey allows, and shows more than one radius does.",
    advice="As for C10 and C11.",
)


def list_scales(runs: Runs) -> list[float]:
    """Factors of the radius: the grid, what reaches mid-grey from every image, and every image."""
    grey, everything = _find_reach(runs)
    return [*(factor for factor in _FACTORS if factor < everything), grey, everything]


def measure_curve(runs: Runs) -> list[tuple[float, np.ndarray]]:
    """Pairs of a factor and of which examples are robust there, from the clean images to every image."""
    points = {0.0: runs.probe.clean}
    points |= {scale: runs.climb(0, scale).robust for scale in list_scales(runs)}
    return sorted(points.items())


def check_larger_radii(runs: Runs, limits: Limits) -> Finding:
    """C10: what is broken at one radius is broken at a larger one."""
    limit, worst, fired = limits[LARGER_RADII].increase, 0.0, False
    text, ids = "Robust accuracy falls with the radius.", ()
    for (small, before), (large, after) in itertools.pairwise(measure_curve(runs)):
        rise = float(after.mean() - before.mean())
        if rise > worst:
            worst, ids = rise, pick_ids(runs.probe.ids, after & ~before)
            fired = exceeds(rise, limit, len(after), limits[LARGER_RADII].least)
            text = (
                f"Robust accuracy rises by {format_share(rise)} from {small:.3g} to {large:.3g} radii, "
                "though every image of the smaller ball lies in the larger one."
            )
    if fired:
        text += " The attack fails, not only the model: gradients mislead it."
        return LARGER_RADII.finding("warning", worst, limit, text, ids)
    return LARGER_RADII.finding("passed", worst, limit, text)


def check_no_bound(runs: Runs, limits: Limits) -> Finding:
    """C11: nothing is robust where everything is allowed, and at mid-grey no more than can be."""
    probe, num_classes = runs.probe, runs.probe.clean_logits.shape[1]
    grey, everything = _find_reach(runs)
    bound, there = _bound_at_grey(runs), runs.climb(0, grey).robust
    if there.mean() > bound:
        text = (
            f"With a radius that lets every image become mid-grey at most {format_share(bound)} can "
            "be robust; the "
            f"attack leaves {format_share(there.mean())}. The attack fails, not the model: no number of "
            "it can be trusted."
        )
        ids = pick_ids(probe.ids, there)
        return NO_BOUND.finding("severe", float(there.mean()), bound, text, ids)
    left, guessing = runs.climb(0, everything).robust, 1.0 / num_classes
    limit = guessing + limits[NO_BOUND].sigmas * np.sqrt(guessing * (1 - guessing) / len(left))
    share = float(left.mean())
    text = (
        f"With every image allowed {format_share(share)} are robust; guessing would give "
        f"{format_share(guessing)}."
    )
    if share > limit:
        text += " The attack should reach 0: gradients mislead it."
        return NO_BOUND.finding("warning", share, limit, text, pick_ids(probe.ids, left))
    return NO_BOUND.finding("passed", share, limit, text)


def check_radii_curve(runs: Runs, limits: Limits) -> Finding:
    """C32: robust accuracy over the radius, and where half of the examples are broken."""
    bound = _bound_at_grey(runs)
    points = [(scale, float(robust.mean())) for scale, robust in measure_curve(runs)]
    told = ", ".join(f"{format_share(share)} at {scale:.3g}" for scale, share in points)
    lowest = min(share for _, share in points)
    half = next((scale for scale, share in points if share <= points[0][1] / 2), None)
    text = f"Robust accuracy, by radii: {told}."
    if half is not None:
        text += f" Half of the examples are broken at {half:.3g} radii."
    if lowest > bound:
        text += f" It should come down to {format_share(bound)} or less; the attack fails."
        return RADII_CURVE.finding("warning", lowest, bound, text)
    return RADII_CURVE.finding("passed", lowest, bound, text)


def _find_reach(runs):
    """Factors of the radius with which every image reaches mid-grey, and every other image."""
    x, threat_model = runs.probe.x, runs.probe.threat_model
    radius = threat_model.radius()
    grey = threat_model.distance(tf.fill(x.shape, 0.5), x)
    corners = threat_model.distance(tf.ones_like(x[:1]), tf.zeros_like(x[:1]))
    # Rounding must not keep the last pixel away.
    return tuple(float(tf.reduce_max(far)) * (1 + 1e-6) / radius for far in (grey, corners))


def _bound_at_grey(runs):
    """The share of examples that a model can get right if all of them may become mid-grey."""
    probe = runs.probe
    answer = int(np.argmax(probe.logits(np.full_like(probe.x[:1], 0.5))[0]))
    return float((probe.clean & (probe.y == answer)).mean())
