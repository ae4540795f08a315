"""Checks of what comes out of the model at clean images: C1, C17, C24, C25."""

import keras
import numpy as np
import tensorflow as tf

from tfrobust.evaluation.checks.answers import chosen, percent, skipped
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.precision import in_full_precision
from tfrobust.losses.margin import margin
from tfrobust.ops.logits import inference
from tfrobust.ops.random import BatchKeys, seed_pair


def logits(probe, num_classes, limits):
    """C1: logits, not probabilities, finite, one for each class."""
    z, limit = probe.clean_logits, limits.probability_slack
    if z.ndim != 2 or z.shape[1] != num_classes:
        text = (
            f"The model must give (b, {num_classes}) logits; it gives an array of shape {z.shape}."
        )
        return Finding("C1", "logits", "error", None, None, text)
    broken = ~np.isfinite(z).all(axis=1)
    if broken.any():
        text = (
            f"The model gives NaN or infinity for {broken.sum()} clean images. No attack can be trusted; "
            "find the operation that does so (a logarithm, a division, a root at 0)."
        )
        ids = chosen(probe.ids, broken)
        return Finding("C1", "logits", "error", float(broken.mean()), 0.0, text, ids)
    off = float(np.abs(z.sum(axis=1) - 1).max())
    # A model of classes only gives 0 and 1 as well; C24 speaks of it.
    if z.min() > -limit and z.max() < 1 + limit and off < limit and not _one_hot(z):
        text = (
            "The outputs are probabilities: losses saturate and robust accuracy comes out too high. "
            "Attack the model without its softmax: keras.Model(model.inputs, model.layers[-1].input) "
            "if softmax is a layer of its own, or model.layers[-1].activation = None before the first call."
        )
        return Finding("C1", "logits", "error", off, limit, text)
    off = float(np.abs(tf.reduce_logsumexp(z, axis=1)).max())
    if off < limit:
        text = (
            "The outputs are logarithms of probabilities. All losses here are the same for them as for "
            "logits, unless they were cut off somewhere."
        )
        return Finding("C1", "logits", "info", off, limit, text)
    return Finding("C1", "logits", "passed", off, limit, "The outputs are finite logits.")


def around(probe, limits):
    """C35, first part: logits are finite at random points of the ball and of its surface."""
    title, threat_model = "logits in the ball", probe.threat_model
    x, radius = tf.constant(probe.x), tf.constant(threat_model.radius(), tf.float32)
    lost = np.zeros(len(probe.x), bool)
    for number in range(limits.ball_points):
        keys = BatchKeys(seed_pair(0)).fold_in(number)
        draw = threat_model.random_surface_point if number % 2 else threat_model.random_point
        point = threat_model.project(draw(x, radius, keys), x, radius)
        lost |= ~np.isfinite(probe.logits(point)).all(axis=1)
    share = float(lost.mean())
    if not lost.any():
        text = f"All logits at {limits.ball_points} random points of every ball are finite."
        return Finding("C35", title, "passed", share, 0.0, text)
    text = (
        f"The model gives NaN or infinity at random points of the ball of {percent(share)} of the examples: "
        "find the operation that does so (a logarithm, a division, a root). What the attacks meet of it is "
        "counted."
    )
    return Finding("C35", title, "warning", share, 0.0, text, chosen(probe.ids, lost))


def saturation(probe, limits):
    """C17: gaps between logits at which float32 loses the cross-entropy's direction."""
    rows = np.arange(len(probe.y))
    others = probe.clean_logits.copy()
    others[rows, probe.y] = -np.inf
    gap = probe.clean_logits[rows, probe.y] - others.max(axis=1)
    far = gap > limits.saturation_gap
    share, limit = float(far.mean()), limits.saturation_share
    if not far.any():
        text = f"No logit leads by more than {limits.saturation_gap}."
        return Finding("C17", "saturation", "passed", share, limit, text)
    lost = far & (_gain(probe) < limits.saturation_gain)
    text = (
        f"For {percent(share)} of the examples the label's logit leads by more than "
        f"{limits.saturation_gap}, where the softmax is 1 in float32; for {percent(lost.mean())} "
        "a step on the "
        "cross-entropy hardly lowers that lead while one on the margin does."
    )
    if lost.mean() > limit:
        text += (
            " Attacks on the cross-entropy overstate robustness: believe those on margin and DLR."
        )
        share = float(lost.mean())
        return Finding("C17", "saturation", "warning", share, limit, text, chosen(probe.ids, lost))
    return Finding("C17", "saturation", "info", share, limit, text, chosen(probe.ids, far))


def _gain(probe):
    """How much of the margin's rise in its own step a step on the cross-entropy brings, (n,)."""
    if not probe.differentiable:
        return np.ones(len(probe.y))
    threat_model, radius = probe.threat_model, probe.threat_model.radius()
    rise = {}
    for name in ("cross-entropy", "margin"):
        slope = tf.constant(probe.clean_slopes[name])
        step = threat_model.project(
            probe.x + radius * threat_model.steepest(slope), probe.x, radius
        )
        there = margin(probe.y, tf.constant(probe.logits(step)))
        rise[name] = (there - margin(probe.y, tf.constant(probe.clean_logits))).numpy()
    rises = rise["margin"] > 0
    return np.where(rises, rise["cross-entropy"] / np.where(rises, rise["margin"], 1.0), 1.0)


def ties(probe):
    """C24: equal logits among the three largest."""
    largest = -np.sort(-probe.clean_logits, axis=1)[:, :3]
    tied = (np.diff(largest, axis=1) == 0).any(axis=1)
    share = float(tied.mean())
    if not tied.any():
        return Finding(
            "C24", "ties", "passed", share, 0.0, "No two of the largest logits are equal."
        )
    text = (
        f"{percent(share)} of the examples have equal logits among their three largest"
        + (
            ", which are 0 and 1: the model tells classes only"
            if _one_hot(probe.clean_logits)
            else ""
        )
        + ". Low precision, a constant or a saturated output? Attacks on scores see no slope there; add "
        "RayS, which needs none."
    )
    return Finding("C24", "ties", "warning", share, 0.0, text, chosen(probe.ids, tied))


def precision(probe, operations, limits):
    """C25: predictions in the precision that the model computes in, and in float32."""
    title, limit = "precision", limits.precision_share
    if "low precision" not in operations:
        text = "Nothing between pixels and logits is computed in half precision."
        return Finding("C25", title, "passed", 0.0, limit, text)
    full = in_full_precision(probe.model) if isinstance(probe.model, keras.Model) else None
    if full is None:
        why = (
            "the model computes in half precision, and there is no float32 copy of it to compare with. "
            "Evaluate it in float32 if you can."
        )
        return skipped("C25", title, why)
    there = np.argmax(inference(full)(probe.x), axis=1)
    differ = there != np.argmax(probe.clean_logits, axis=1)
    share = float(differ.mean())
    level = "passed" if not differ.any() else "info" if share <= limit else "warning"
    text = (
        f"The model computes in half precision; {percent(share)} of its predictions are others in float32."
        + (" Evaluate the float32 model." if level == "warning" else "")
    )
    return Finding("C25", title, level, share, limit, text, chosen(probe.ids, differ))


def _one_hot(z):
    return bool(np.isin(z, (0.0, 1.0)).all() and (z.sum(axis=1) == 1).all())
