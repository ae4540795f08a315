"""Checks that there are gradients, and that they describe the function: C7, C18a, C30."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.evaluation.checks.answers import format_share, pick_ids
from tfrobust.evaluation.checks.check import Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.losses.logit_objectives import DLR, TargetedDLR
from tfrobust.losses.margin import margin
from tfrobust.losses.objectives import CrossEntropy, ToClean, ToLabel
from tfrobust.ops.random.keys import BatchKeys, seed_pair

_DIFFERENCED = 64
_ADVICE = {
    "rounding": "attack it with a smooth stand-in for the gradient (BPDA)",
    "stopped gradient": "attack it with a smooth stand-in for the gradient (BPDA)",
    "Python code": "write it in TensorFlow, or attack it without gradients",
    "image coding": "attack it with a smooth stand-in for the gradient (BPDA)",
    "randomness": "average gradients over passes (EoT)",
    "inner gradient": "attack through the inner optimisation too",
}

GRADIENTS = Check(
    "C7",
    "gradients",
    measures="Whether gradients exist, are finite and are not zero, at clean images and at random starts.",
    why="Where they vanish an attack stays where it began, and the example looks robust. It is severe where "
    "all losses that the suite climbs are flat at the same images.",
    advice="Look for an argmax, a rounding, a saturation or a `stop_gradient`; attack a smooth stand-in "
    "(BPDA); believe other losses, Square and RayS.",
    settings={
        "share": Setting(0.01, "of examples where all climbed losses are flat; more are severe")
    },
)
DIFFERENCES = Check(
    "C18a",
    "finite differences",
    measures="The gradient of the margin against differences of the margin along it.",
    why="A gradient written by hand, a straight-through estimator or a steep squashing describes another "
    "function than the one that is attacked.",
    advice="Correct the gradient, or compare with Square and RayS.",
    settings={
        "step": Setting(0.05, "of the difference, in radii"),
        "low": Setting(0.5, "the smallest ratio of difference and slope that counts as right"),
        "high": Setting(2.0, "the largest such ratio"),
        "share": Setting(0.9, "of examples that must be right"),
        "negated_share": Setting(
            0.25, "of examples whose gradient is right except for its sign; more are severe"
        ),
    },
)
OPERATIONS = Check(
    "C30",
    "operations",
    measures="Which operations lie between pixels and logits: rounding, randomness, stopped or replaced "
    "gradients, Python code, image coding, an optimisation.",
    why="A plain attack by gradients says little about a model with one of these.",
    advice="Attack it as the finding says: a smooth stand-in, averaged gradients, or no gradients.",
)


def list_climbed(attacks: Sequence[Attack]) -> set[str]:
    """The names of the losses, of those that a `Probe` knows, whose gradients attacks rest on."""
    white = [attack for attack in attacks if attack.needs_gradient]
    names = {_name_loss(attack.climbed_objective) for attack in white}
    # Where no attack is named, those of AutoAttack but for the cross-entropy.
    return names or {"margin", "DLR"}


def _name_loss(objective):
    if isinstance(objective, (DLR, TargetedDLR)):
        return "DLR"
    # Divergences to a distribution saturate as the cross-entropy does; all others climb logits.
    return "cross-entropy" if isinstance(objective, (CrossEntropy, ToClean, ToLabel)) else "margin"


def check_gradients(
    probe: Probe, limits: Limits, losses: Collection[str] = ("margin", "DLR")
) -> Finding:
    """C7: gradients exist, are finite and not zero, at the clean images and at random ones.

    Severe where all `losses`, those that the suite climbs, are flat at the same images: a model whose
    cross-entropy alone saturates is judged rightly by attacks on margin or DLR.
    """
    limit = limits[GRADIENTS].share
    if not probe.differentiable:
        text = (
            "No gradient reaches the pixels, so that gradient attacks cannot run: is there an argmax, a "
            "rounding or a stop_gradient in the model? Attack it with a smooth stand-in, or with Square "
            "and RayS only."
        )
        return GRADIENTS.finding("error", 1.0, limit, text)
    keys = BatchKeys(seed_pair(0))
    radius = tf.constant(probe.threat_model.radius(), tf.float32)
    start = probe.threat_model.random_point(tf.constant(probe.x), radius, keys)
    start = probe.threat_model.project(start, probe.x, radius).numpy()
    nobody = np.zeros(len(probe.x), bool)
    zero, hidden, broken, told = nobody.copy(), nobody.copy(), nobody.copy(), []
    for place, x in (("clean images", probe.x), ("random starts", start)):
        slopes = probe.clean_slopes if x is probe.x else probe.slopes(x)[1]
        right, everywhere = probe.right(x), ~nobody
        for name, slope in slopes.items():
            flat = slope.reshape(len(slope), -1)
            # Where an example is wrong, a flat loss harms nobody; DLR is flat there by its formula.
            flat_here = right & ~flat.any(axis=1)
            if flat_here.any():
                told.append(f"{format_share(flat_here.mean())} for {name} at {place}")
            zero |= flat_here
            everywhere &= flat_here | (name not in losses)
            broken |= ~np.isfinite(flat).all(axis=1)
        hidden |= everywhere & right
    if broken.any():
        text = (
            f"The gradient of {format_share(broken.mean())} of the examples is not finite: a root, "
            "logarithm or norm at 0? Attacks take such entries for zero and are weaker than they look."
        )
        ids = pick_ids(probe.ids, broken)
        return GRADIENTS.finding("error", float(broken.mean()), 0.0, text, ids)
    share = float(zero.mean())
    level = "severe" if hidden.mean() > limit else "warning"
    if not zero.any():
        text = "All gradients at clean images and random starts are finite, and none is zero."
        return GRADIENTS.finding("passed", share, limit, text)
    text = (
        f"Some gradients are exactly zero ({', '.join(told)}): saturation, rounding or masking. "
        + (
            "The attacks climb nothing else, and such examples look robust without being so; believe "
            "attacks on other losses, Square and RayS."
            if level == "severe"
            else "Believe attacks on losses that are not flat there, and Square."
        )
    )
    share = float(hidden.mean()) if level == "severe" else share
    ids = pick_ids(probe.ids, hidden if level == "severe" else zero)
    return GRADIENTS.finding(level, share, limit, text, ids)


def check_differences(probe: Probe, limits: Limits) -> Finding:
    """C18a: the margin's gradient against differences of the margin along it."""
    bounds, count = limits[DIFFERENCES], _DIFFERENCED
    if probe.threat_model.radius() == 0:
        return DIFFERENCES.skip("the radius is 0, and so are the steps of the differences.")
    x, y = probe.x[:count].astype(np.float32), probe.y[:count]
    slope = probe.clean_slopes["margin"][:count]
    length = np.linalg.norm(slope.reshape(len(x), -1), axis=1)
    usable = np.isfinite(length) & (length > 0)
    if not usable.any():
        return DIFFERENCES.skip("no gradient of the margin is finite and not zero; see C7.")
    mask, size = (v.reshape(-1, *[1] * (x.ndim - 1)) for v in (usable, np.where(usable, length, 1)))
    longest = bounds.step * probe.threat_model.radius()
    move = longest * np.where(mask, slope, 0.0) / size
    # In L1 such a move is far longer than in the Euclidean norm.
    far = probe.threat_model.distance(tf.constant(move), tf.zeros_like(move)).numpy()
    factor = np.where(far > longest, longest / np.maximum(far, 1e-30), 1.0).astype(np.float32)
    move, step = move * factor.reshape(mask.shape), (longest * factor)[usable]
    up, down = (margin(y, tf.constant(probe.logits(q))) for q in (x + move, x - move))
    ratio = (up.numpy() - down.numpy())[usable] / (2 * step) / length[usable]
    right = (ratio >= bounds.low) & (ratio <= bounds.high)
    share, limit = float(right.mean()), bounds.share
    negated = (-ratio >= bounds.low) & (-ratio <= bounds.high)
    if negated.mean() > bounds.negated_share:
        text = (
            f"For {format_share(negated.mean())} of the examples the margin falls along its gradient as "
            "steeply as it should rise: the gradient is negated. A flipped sign in a custom "
            "gradient? Attacks by gradients go the wrong way; correct the sign, or trust Square and RayS."
        )
        ids = tuple(probe.ids[:count][usable][negated])
        return DIFFERENCES.finding("severe", float(negated.mean()), bounds.negated_share, text, ids)
    if share < limit:
        text = (
            f"For {format_share(1 - share)} of the examples the gradient does not describe the "
            "function: it differs "
            f"from the slope over a distance of {2 * np.median(step):.3g} by more than a factor of 2. A "
            "straight-through "
            "estimator, rounding or a steep squashing? Gradient attacks mislead; compare with "
            "Square and RayS."
        )
        ids = probe.ids[:count][usable][~right]
        return DIFFERENCES.finding("warning", share, limit, text, tuple(ids))
    text = f"The gradient fits the slope of the margin for {format_share(share)} of the examples."
    return DIFFERENCES.finding("passed", share, limit, text)


def check_operations(operations: Mapping[str, Sequence[str]]) -> Finding:
    """C30: what the graph from pixels to logits contains."""
    found = {kind: names for kind, names in operations.items() if kind in _ADVICE}
    if found:
        told = "; ".join(f"{kind} ({', '.join(names)})" for kind, names in found.items())
        advice = "; ".join(dict.fromkeys(_ADVICE[kind] for kind in found))
        text = (
            f"Between pixels and logits there is {told}. A plain evaluation says little: {advice}."
        )
        return OPERATIONS.finding("warning", sum(map(len, found.values())), 0.0, text)
    if "custom gradient" in operations:
        text = (
            "Some operations have a gradient that was written by hand (TensorFlow's silu and relu6 do, "
            "too). If it is yours: is it the true one? See C18a."
        )
        return OPERATIONS.finding("info", 0.0, 0.0, text)
    text = "No operation between pixels and logits rounds, draws, stops or replaces gradients."
    return OPERATIONS.finding("passed", 0.0, 0.0, text)
