"""Checks of what comes out of the model, at clean images and in the ball."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust.evaluation.checks.answers import format_share, pick_ids
from tfrobust.evaluation.checks.before.precision import copy_in_full_precision
from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.losses.margin import margin
from tfrobust.ops.logits import inference
from tfrobust.ops.random.keys import BatchKeys, seed_pair

LOGITS = Check(
    "C1",
    "logits",
    measures="Whether the outputs are finite logits, one for each class, and not probabilities.",
    why="Losses on probabilities saturate, and robust accuracy comes out too high.",
    advice="Take the softmax off (`tfrobust.adapt` does it), and find the operation that gives NaN or "
    "infinity.",
    settings={
        "slack": Setting(1e-5, "outputs within it of [0, 1] and of a sum of 1 are probabilities")
    },
)
BALL = Check(
    "C35",
    "logits in the ball",
    measures="Whether the logits are finite at random points of every ball and of its surface.",
    why="An attack learns nothing from NaN, and the example would look robust.",
    advice="Find the operation that gives NaN or infinity: a logarithm, a division, a root. C42 counts what "
    "the attacks met.",
    settings={"points": Setting(8, "random points of every ball")},
)
SATURATION = Check(
    "C17",
    "saturation",
    measures="For how many examples the label's logit leads so far that a step on the cross-entropy is lost "
    "where one on the margin is not.",
    why="There float32 rounds the softmax to 1, and attacks on the cross-entropy overstate robustness. Of 37 "
    "networks trained on the digits by as many methods none has more than a share of 0.16, most have none; "
    "their logits times 40 have over 0.8.",
    advice="Believe attacks on margin and DLR.",
    settings={
        "gap": Setting(16.6, "lead of the label's logit"),
        "gain": Setting(0.1, "a step that brings less than this of the margin's step is lost"),
        "share": Setting(0.2, "of lost examples; more are a warning"),
    },
)
TIES = Check(
    "C24",
    "ties",
    measures="How many examples have equal logits among their three largest.",
    why="Scores that are equal have no slope: low precision, a constant, a saturated output, or a model that "
    "gives classes only.",
    advice="Add RayS, which needs neither gradients nor scores.",
)
PRECISION = Check(
    "C25",
    "precision",
    measures="How many predictions in half precision differ from those of a float32 copy.",
    why="Rounding can hide gradients, and break examples by itself.",
    advice="Evaluate the model in float32.",
    settings={"share": Setting(0.001, "of predictions that differ; more are a warning")},
)


def check_logits(probe: Probe, num_classes: int, limits: Limits) -> Finding:
    """C1: logits, not probabilities, finite, one for each class."""
    z, limit = probe.clean_logits, limits[LOGITS].slack
    if z.ndim != 2 or z.shape[1] != num_classes:
        text = (
            f"The model must give (b, {num_classes}) logits; it gives an array of shape {z.shape}."
        )
        return LOGITS.finding("error", None, None, text)
    broken = ~np.isfinite(z).all(axis=1)
    if broken.any():
        text = (
            f"The model gives NaN or infinity for {broken.sum()} clean images. No attack can be trusted; "
            "find the operation that does so (a logarithm, a division, a root at 0)."
        )
        ids = pick_ids(probe.ids, broken)
        return LOGITS.finding("error", float(broken.mean()), 0.0, text, ids)
    off = float(np.abs(z.sum(axis=1) - 1).max())
    # A model of classes only gives 0 and 1 as well; C24 speaks of it.
    if z.min() > -limit and z.max() < 1 + limit and off < limit and not _is_one_hot(z):
        text = (
            "The outputs are probabilities: losses saturate and robust accuracy comes out too high. "
            "Attack the model without its softmax: keras.Model(model.inputs, model.layers[-1].input) "
            "if softmax is a layer of its own, or model.layers[-1].activation = None before the first call."
        )
        return LOGITS.finding("error", off, limit, text)
    off = float(np.abs(tf.reduce_logsumexp(z, axis=1)).max())
    if off < limit:
        text = (
            "The outputs are logarithms of probabilities. All losses here are the same for them as for "
            "logits, unless they were cut off somewhere."
        )
        return LOGITS.finding("info", off, limit, text)
    return LOGITS.finding("passed", off, limit, "The outputs are finite logits.")


def check_ball(probe: Probe, limits: Limits) -> Finding:
    """C35: logits are finite at random points of the ball and of its surface."""
    threat_model, points = probe.threat_model, limits[BALL].points
    x, radius = tf.constant(probe.x), tf.constant(threat_model.radius(), tf.float32)
    lost = np.zeros(len(probe.x), bool)
    for number in range(points):
        keys = BatchKeys(seed_pair(0)).fold_in(number)
        draw = threat_model.random_surface_point if number % 2 else threat_model.random_point
        point = threat_model.project(draw(x, radius, keys), x, radius)
        lost |= ~np.isfinite(probe.logits(point)).all(axis=1)
    share = float(lost.mean())
    if not lost.any():
        text = f"All logits at {points} random points of every ball are finite."
        return BALL.finding("passed", share, 0.0, text)
    text = (
        f"The model gives NaN or infinity at random points of the ball of {format_share(share)} of the "
        "examples: find the operation that does so (a logarithm, a division, a root). What the attacks "
        "meet of it is counted."
    )
    return BALL.finding("warning", share, 0.0, text, pick_ids(probe.ids, lost))


def check_saturation(probe: Probe, limits: Limits) -> Finding:
    """C17: gaps between logits at which float32 loses the cross-entropy's direction."""
    rows, bounds = np.arange(len(probe.y)), limits[SATURATION]
    others = probe.clean_logits.copy()
    others[rows, probe.y] = -np.inf
    gap = probe.clean_logits[rows, probe.y] - others.max(axis=1)
    far = gap > bounds.gap
    share, limit = float(far.mean()), bounds.share
    if not far.any():
        text = f"No logit leads by more than {bounds.gap}."
        return SATURATION.finding("passed", share, limit, text)
    lost = far & (_measure_gain(probe) < bounds.gain)
    text = (
        f"For {format_share(share)} of the examples the label's logit leads by more than "
        f"{bounds.gap}, where the softmax is 1 in float32; for {format_share(lost.mean())} "
        "a step on the "
        "cross-entropy hardly lowers that lead while one on the margin does."
    )
    if lost.mean() > limit:
        text += (
            " Attacks on the cross-entropy overstate robustness: believe those on margin and DLR."
        )
        share = float(lost.mean())
        return SATURATION.finding("warning", share, limit, text, pick_ids(probe.ids, lost))
    return SATURATION.finding("info", share, limit, text, pick_ids(probe.ids, far))


def _measure_gain(probe):
    """How much of the margin's rise in its own step a step on the cross-entropy brings, (n,)."""
    if not probe.differentiable:
        return np.ones(len(probe.y))
    rise = {}
    for name in ("cross-entropy", "margin"):
        there = margin(probe.y, tf.constant(probe.logits(probe.step(probe.clean_slopes[name]))))
        rise[name] = (there - margin(probe.y, tf.constant(probe.clean_logits))).numpy()
    rises = rise["margin"] > 0
    return np.where(rises, rise["cross-entropy"] / np.where(rises, rise["margin"], 1.0), 1.0)


def check_ties(probe: Probe) -> Finding:
    """C24: equal logits among the three largest."""
    largest = -np.sort(-probe.clean_logits, axis=1)[:, :3]
    tied = (np.diff(largest, axis=1) == 0).any(axis=1)
    share = float(tied.mean())
    if not tied.any():
        return TIES.finding("passed", share, 0.0, "No two of the largest logits are equal.")
    text = (
        f"{format_share(share)} of the examples have equal logits among their three largest"
        + (
            ", which are 0 and 1: the model tells classes only"
            if _is_one_hot(probe.clean_logits)
            else ""
        )
        + ". Low precision, a constant or a saturated output? Attacks on scores see no slope there; add "
        "RayS, which needs none."
    )
    return TIES.finding("warning", share, 0.0, text, pick_ids(probe.ids, tied))


def check_precision(
    probe: Probe, operations: Mapping[str, Sequence[str]], limits: Limits
) -> Finding:
    """C25: predictions in the precision that the model computes in, and in float32."""
    limit = limits[PRECISION].share
    if "low precision" not in operations:
        text = "Nothing between pixels and logits is computed in half precision."
        return PRECISION.finding("passed", 0.0, limit, text)
    full = copy_in_full_precision(probe.model) if isinstance(probe.model, keras.Model) else None
    if full is None:
        why = (
            "the model computes in half precision, and there is no float32 copy of it to compare with. "
            "Evaluate it in float32 if you can."
        )
        return PRECISION.skip(why)
    there = np.argmax(inference(full)(probe.x), axis=1)
    differ = there != np.argmax(probe.clean_logits, axis=1)
    share = float(differ.mean())
    level = "passed" if not differ.any() else "info" if share <= limit else "warning"
    text = (
        f"The model computes in half precision; {format_share(share)} of its predictions differ in float32."
        + (" Evaluate the float32 model." if level == "warning" else "")
    )
    return PRECISION.finding(level, share, limit, text, pick_ids(probe.ids, differ))


def _is_one_hot(z):
    return bool(np.isin(z, (0.0, 1.0)).all() and (z.sum(axis=1) == 1).all())
