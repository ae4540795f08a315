"""Checks of the surface that the attacks climb and of what they find: C18b, C23, C31."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.steppers import Adam
from tfrobust.evaluation.checks.answers import chosen, percent, skipped
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.losses.linearity import LinearityError
from tfrobust.losses.margin import margin


def linearity(probe, limits, budget=None):
    """C18b: a step of the radius gains about what the slope promises; how far the loss leaves its tangent."""
    title, limit = "local linearity", limits.linearity
    threat_model, radius = probe.threat_model, probe.threat_model.radius()
    if budget is not None:
        # A step of the radius, and the fifty steps of `departure`.
        budget.take(len(probe.x) * 108)
    slope = probe.clean_slopes["margin"]
    ahead = threat_model.project(
        probe.x + radius * threat_model.steepest(tf.constant(slope)), probe.x, radius
    )
    gain = (_margin(probe, ahead.numpy()) - _margin(probe, probe.x)).astype(np.float64)
    promised = ((ahead.numpy() - probe.x) * slope).reshape(len(slope), -1).sum(axis=1)
    usable = np.isfinite(promised) & (promised > 0)
    if not usable.any():
        return skipped("C18b", title, "no slope promises a gain; see C7.")
    ratio = gain[usable] / promised[usable]
    median, negative = float(np.median(ratio)), float((ratio < 0).mean())
    low, high = np.quantile(ratio, (0.1, 0.9))
    text = (
        f"A step of the radius along the gradient raises the margin by {median:.2f} times what the slope "
        f"promises (median; 10 % below {low:.2f}, 10 % above {high:.2f}), and lowers it for "
        f"{percent(negative)} of the examples. In the ball the cross-entropy departs from its tangent by "
        "{:.3g} (median; 10 % by more than {:.3g}).".format(
            *np.quantile(departure(probe), (0.5, 0.9))
        )
    )
    if median < limit or negative > limits.negative_share:
        text += " Gradients say little about the ball: trust Square and RayS, or many more steps."
        ids = probe.ids[usable][ratio < limit]
        return Finding("C18b", title, "warning", median, limit, text, tuple(ids))
    return Finding("C18b", title, "passed", median, limit, text)


def departure(probe):
    """The largest |l(x + d) - l(x) - d . grad l(x)| that fifty steps of LLR's attack find, (n,)."""
    objective, x, y = LinearityError(), tf.constant(probe.x), tf.constant(probe.y)
    attack = PGD(probe.threat_model, objective, steps=50, step_size=0.1, stepper=Adam())
    found = attack(probe.forward, x, y, seed=0).x

    def error(found, x, y):
        reference = objective.reference(probe.forward, x, y)
        return objective(y, probe.forward(found), reference, found)

    return probe.compiled(error)(found, x, y).numpy()


def storage(runs, limits):
    """C23: successes that images of 8 bits lose."""
    probe, title = runs.probe, "8-bit images"
    result = runs.climb()
    broken = probe.clean & ~result.robust
    stored = _to_grid(result.x, probe.x)
    lost = broken & probe.right(stored)
    share = float(lost.mean())
    text = (
        f"Stored in 8 bits, {percent(share)} of the adversarial images are classified right again."
    )
    level = "info" if share > limits.storage_share else "passed"
    ids = chosen(probe.ids, lost)
    return Finding("C23", title, level, share, limits.storage_share, text, ids)


def texture(runs, limits):
    """C31: whether the perturbations look like noise."""
    title, limit = "looks of the perturbations", limits.texture
    if runs.sparse:
        return skipped(
            "C31", title, "in L1 perturbations are single pixels, which have no texture."
        )
    delta = runs.on_entropy.x - runs.probe.x
    if min(delta.shape[1:3]) < 3:
        return skipped("C31", title, "the images are too small to have a texture.")
    moved = delta.reshape(len(delta), -1).any(axis=1)
    if not moved.any():
        return skipped("C31", title, "the attack moved nothing.")
    delta = delta[moved]
    pixels = delta.reshape(len(delta), -1, delta.shape[-1])
    order = np.random.default_rng(0).permuted(
        np.tile(np.arange(pixels.shape[1]), (len(pixels), 1)), axis=1
    )
    shuffled = np.take_along_axis(pixels, order[:, :, None], axis=1).reshape(delta.shape)
    ratio = _variation(delta) / np.maximum(_variation(shuffled), 1e-12)
    median = float(np.median(ratio))
    text = f"Perturbations vary {median:.2f} times as much as with their pixels shuffled (median)."
    if median > limit:
        text += " They look like noise, which models with misleading gradients show."
    level = "info" if median > limit else "passed"
    return Finding("C31", title, level, median, limit, text)


def _margin(probe, x):
    return margin(probe.y, tf.constant(probe.logits(x))).numpy()


def _to_grid(found, x):
    """The nearest image of whole grey levels, or, where that is farther from `x`, the next one towards it."""
    grey = found * 255
    nearest = np.round(grey) / 255
    towards = np.where(found > x, np.floor(grey), np.ceil(grey)) / 255
    farther = np.abs(nearest - x) > np.abs(found - x)
    return np.clip(np.where(farther, towards, nearest), 0, 1).astype(np.float32)


def _variation(delta):
    return sum(np.abs(np.diff(delta, axis=axis)).sum(axis=(1, 2, 3)) for axis in (1, 2))
