"""Checks of what larger radii do: C10, C11, C32."""

import itertools

import numpy as np
import tensorflow as tf

from tfrobust.evaluation.checks.answers import chosen, more_than, percent
from tfrobust.evaluation.checks.finding import Finding

_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


def scales(runs):
    """Factors of the radius: the grid, what reaches mid-grey from every image, and every image."""
    grey, everything = _reach(runs)
    return [*(factor for factor in _FACTORS if factor < everything), grey, everything]


def curve(runs):
    """Pairs of a factor and of which examples stand there, from the clean images to all there are."""
    points = {0.0: runs.probe.clean}
    points |= {scale: runs.climb(0, scale).robust for scale in scales(runs)}
    return sorted(points.items())


def monotone(runs, limits):
    """C10: what falls at one radius falls at a larger one."""
    title, limit = "larger radii", limits.radius_increase
    worst, text, ids, fired = 0.0, "Robust accuracy falls with the radius.", (), False
    for (small, before), (large, after) in itertools.pairwise(curve(runs)):
        rise = float(after.mean() - before.mean())
        if rise > worst:
            worst, ids = rise, chosen(runs.probe.ids, after & ~before)
            fired = more_than(rise, limit, len(after), limits.least)
            text = (
                f"Robust accuracy rises by {percent(rise)} from {small:.3g} to {large:.3g} radii, though "
                "every image of the smaller ball lies in the larger one."
            )
    if fired:
        text += " The attack fails, not only the model: gradients mislead it."
        return Finding("C10", title, "warning", worst, limit, text, ids)
    return Finding("C10", title, "passed", worst, limit, text)


def unbounded(runs, num_classes, limits):
    """C11: nothing stands where everything is allowed, and at mid-grey as few as can."""
    title, probe = "no bound", runs.probe
    grey, everything = _reach(runs)
    bound, there = _grey_bound(runs), runs.climb(0, grey).robust
    if there.mean() > bound:
        text = (
            f"With a radius that lets every image become mid-grey at most {percent(bound)} can "
            "be robust; the "
            f"attack leaves {percent(there.mean())}. The attack fails, not the model: no number of it can be "
            "trusted."
        )
        ids = chosen(probe.ids, there)
        return Finding("C11", title, "severe", float(there.mean()), bound, text, ids)
    left, guessing = runs.climb(0, everything).robust, 1.0 / num_classes
    limit = guessing + limits.unbounded_sigmas * np.sqrt(guessing * (1 - guessing) / len(left))
    share = float(left.mean())
    text = (
        f"With every image allowed {percent(share)} stand; guessing would give {percent(guessing)}."
    )
    if share > limit:
        text += " The attack should reach 0: gradients mislead it."
        return Finding("C11", title, "warning", share, limit, text, chosen(probe.ids, left))
    return Finding("C11", title, "passed", share, limit, text)


def accuracy_curve(runs):
    """C32: robust accuracy over the radius, and where half of the examples have fallen."""
    title, bound = "accuracy over the radius", _grey_bound(runs)
    points = [(scale, float(stand.mean())) for scale, stand in curve(runs)]
    told = ", ".join(f"{percent(share)} at {scale:.3g}" for scale, share in points)
    lowest = min(share for _, share in points)
    half = next((scale for scale, share in points if share <= points[0][1] / 2), None)
    text = f"Robust accuracy, by radii: {told}."
    if half is not None:
        text += f" Half of the examples have fallen at {half:.3g} radii."
    if lowest > bound:
        text += f" It should go down to {percent(bound)} at least; the attack fails."
        return Finding("C32", title, "warning", lowest, bound, text)
    return Finding("C32", title, "passed", lowest, bound, text)


def _reach(runs):
    """Factors of the radius with which every image reaches mid-grey, and every other image."""
    x, threat_model = runs.probe.x, runs.probe.threat_model
    radius = threat_model.radius()
    grey = threat_model.distance(tf.fill(x.shape, 0.5), x)
    corners = threat_model.distance(tf.ones_like(x[:1]), tf.zeros_like(x[:1]))
    # Rounding must not keep the last pixel away.
    return tuple(float(tf.reduce_max(far)) * (1 + 1e-6) / radius for far in (grey, corners))


def _grey_bound(runs):
    """The share of examples that a model can get right if all of them may become mid-grey."""
    probe = runs.probe
    answer = int(np.argmax(probe.logits(np.full_like(probe.x[:1], 0.5))[0]))
    return float((probe.clean & (probe.y == answer)).mean())
