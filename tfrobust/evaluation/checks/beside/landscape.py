"""Checks of the surface that the attacks climb and of what they find: C18b, C23, C31."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.steppers import Adam
from tfrobust.evaluation.checks.answers import format_share, pick_ids
from tfrobust.evaluation.checks.beside.climb import Climb
from tfrobust.evaluation.checks.beside.runs import Runs
from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.losses.linearity import LinearityError
from tfrobust.losses.margin import margin

LINEARITY = Check(
    "C18b",
    "local linearity",
    measures="What a step of the radius along the gradient gains, against what the slope promises, and "
    "how far the cross-entropy departs from its tangent in the ball.",
    why="Where they differ much, gradients say little about the ball.",
    advice="Trust Square and RayS, or take many more steps.",
    settings={
        "ratio": Setting(0.3, "of gain and promise, the median; less is a warning"),
        "negative_share": Setting(
            0.05, "of examples for which the step lowers the margin; more are a warning"
        ),
    },
)
STORAGE = Check(
    "C23",
    "8-bit images",
    measures="How many adversarial images are classified right again when stored in 8 bits.",
    why="They cannot be stored in an image file, although the threat model allows them.",
    advice="Report it if images are stored before they are classified.",
    settings={"share": Setting(0.01, "of such images; more are worth a note")},
)
TEXTURE = Check(
    "C31",
    "looks of the perturbations",
    measures="How much perturbations vary from pixel to pixel, against the same pixels shuffled.",
    why="Perturbations that look like noise come from gradients that mislead.",
    advice="Look at the pictures, and at C7 and C18a.",
    settings={"ratio": Setting(0.95, "of the variations, the median; more is worth a note")},
)


def check_linearity(runs: Runs, limits: Limits) -> Finding:
    """C18b: a step of the radius gains about what the slope promises; how far the loss leaves its tangent."""
    probe, bounds = runs.probe, limits[LINEARITY]
    # A step of the radius, and the fifty steps of `measure_departure`.
    runs.budget.spend(len(probe.x) * 108)
    slope = probe.clean_slopes["margin"]
    ahead = probe.step(slope).numpy()
    gain = (_measure_margin(probe, ahead) - _measure_margin(probe, probe.x)).astype(np.float64)
    promised = ((ahead - probe.x) * slope).reshape(len(slope), -1).sum(axis=1)
    usable = np.isfinite(promised) & (promised > 0)
    if not usable.any():
        return LINEARITY.skip("no slope promises a gain; see C7.")
    ratio = gain[usable] / promised[usable]
    median, negative = float(np.median(ratio)), float((ratio < 0).mean())
    low, high = np.quantile(ratio, (0.1, 0.9))
    text = (
        f"A step of the radius along the gradient raises the margin by {median:.2f} times what the slope "
        f"promises (median; 10 % below {low:.2f}, 10 % above {high:.2f}), and lowers it for "
        f"{format_share(negative)} of the examples. In the ball the cross-entropy departs from its "
        "tangent by {:.3g} (median; 10 % by more than {:.3g}).".format(
            *np.quantile(measure_departure(probe), (0.5, 0.9))
        )
    )
    if median < bounds.ratio or negative > bounds.negative_share:
        text += " Gradients say little about the ball: trust Square and RayS, or many more steps."
        ids = probe.ids[usable][ratio < bounds.ratio]
        return LINEARITY.finding("warning", median, bounds.ratio, text, tuple(ids))
    return LINEARITY.finding("passed", median, bounds.ratio, text)


def measure_departure(probe: Probe) -> np.ndarray:
    """The largest |l(x + d) - l(x) - d . grad l(x)| that fifty steps of LLR's attack find, (n,)."""
    attack = PGD(probe.threat_model, LinearityError(), steps=50, step_size=0.1, stepper=Adam())
    found = Climb(attack, probe.traced)(probe.x, probe.y, probe.ids).x
    rise = cross_entropy(probe.y, probe.logits(found)) - cross_entropy(probe.y, probe.clean_logits)
    promised = (found - probe.x) * probe.clean_slopes["cross-entropy"]
    return np.abs(rise.numpy() - promised.reshape(len(found), -1).sum(axis=1))


def check_storage(runs: Runs, limits: Limits) -> Finding:
    """C23: successes that images of 8 bits lose."""
    probe, limit, result = runs.probe, limits[STORAGE].share, runs.climb()
    broken = probe.clean & ~result.robust
    stored = _round_to_grid(result.x, probe.x)
    lost = broken & probe.right(stored)
    share = float(lost.mean())
    text = f"Stored in 8 bits, {format_share(share)} of the adversarial images are classified right again."
    level = "info" if share > limit else "passed"
    ids = pick_ids(probe.ids, lost)
    return STORAGE.finding(level, share, limit, text, ids)


def check_texture(runs: Runs, limits: Limits) -> Finding:
    """C31: whether the perturbations look like noise."""
    limit = limits[TEXTURE].ratio
    if runs.sparse:
        return TEXTURE.skip("in L1 perturbations are single pixels, which have no texture.")
    delta = runs.on_entropy.x - runs.probe.x
    if min(delta.shape[1:3]) < 3:
        return TEXTURE.skip("the images are too small to have a texture.")
    moved = delta.reshape(len(delta), -1).any(axis=1)
    if not moved.any():
        return TEXTURE.skip("the attack moved nothing.")
    delta = delta[moved]
    pixels = delta.reshape(len(delta), -1, delta.shape[-1])
    order = np.random.default_rng(0).permuted(
        np.tile(np.arange(pixels.shape[1]), (len(pixels), 1)), axis=1
    )
    shuffled = np.take_along_axis(pixels, order[:, :, None], axis=1).reshape(delta.shape)
    ratio = _measure_variation(delta) / np.maximum(_measure_variation(shuffled), 1e-12)
    median = float(np.median(ratio))
    text = f"Perturbations vary {median:.2f} times as much as with their pixels shuffled (median)."
    if median > limit:
        text += " They look like noise, which models with misleading gradients show."
    level = "info" if median > limit else "passed"
    return TEXTURE.finding(level, median, limit, text)


def _measure_margin(probe, x):
    return margin(probe.y, tf.constant(probe.logits(x))).numpy()


def _round_to_grid(found, x):
    """The nearest image of whole grey levels, or, where that is farther from `x`, the next one towards it."""
    grey = found * 255
    nearest = np.round(grey) / 255
    towards = np.where(found > x, np.floor(grey), np.ceil(grey)) / 255
    farther = np.abs(nearest - x) > np.abs(found - x)
    return np.clip(np.where(farther, towards, nearest), 0, 1).astype(np.float32)


def _measure_variation(delta):
    return sum(np.abs(np.diff(delta, axis=axis)).sum(axis=(1, 2, 3)) for axis in (1, 2))
