"""Checks that no other loss and no noise finds more: C15, C16."""

import numpy as np

from tfrobust.evaluation.checks.answers import exceeds, format_share, pick_ids
from tfrobust.evaluation.checks.beside.noise import Noise
from tfrobust.evaluation.checks.beside.runs import Runs
from tfrobust.evaluation.checks.check import LEAST, Check, Limits, Setting
from tfrobust.evaluation.checks.finding import Finding

LOSSES = Check(
    "C16",
    "losses",
    measures="Robust accuracy under the cross-entropy alone, against that under cross-entropy, margin, "
    "DLR and targets, for short attacks.",
    why="A few points are usual among honestly trained models (on the digits natural 7.8, one-step ATLAS "
    "5.1, ADV 1.2, TRADES 1.6); gradients that saturate cost far more.",
    advice="Report the union of attacks on several losses.",
    settings={
        "share": Setting(
            0.05, "of examples that the cross-entropy alone misses; more are worth a note"
        ),
        "large_share": Setting(0.15, "the same; more are a warning"),
        "least": LEAST,
    },
)
NOISE = Check(
    "C15",
    "random noise",
    measures="How many examples are broken by random points of the ball and not by the gradient attacks.",
    why="An attack that is weaker than chance is misled by its gradients.",
    advice="Look at C7, C17 and C18a, and attack without gradients.",
    settings={
        "samples": Setting(100, "points of every ball"),
        "long_samples": Setting(
            10_000, "points of each of the first examples, while passes are left"
        ),
        "long_examples": Setting(100, "how many first examples"),
    },
)


def check_losses(runs: Runs, limits: Limits) -> Finding:
    """C16: the cross-entropy alone finds what margin, DLR and targets find."""
    entropy, together = runs.on_entropy_any, runs.white_box
    margin = runs.climb().robust & runs.on_ratio
    gap = float(entropy.mean() - together.mean())
    text = (
        f"Robust accuracy is {format_share(entropy.mean())} under the cross-entropy, "
        f"{format_share(margin.mean())} under "
        f"margin and DLR, {format_share(runs.targeted.mean())} under targets, and "
        f"{format_share(together.mean())} under all."
    )
    ids = pick_ids(runs.probe.ids, entropy & ~together)
    return judge_gap(LOSSES, gap, text, ids, len(entropy), limits)


def judge_gap(
    check: Check, gap: float, text: str, ids: tuple, count: int, limits: Limits
) -> Finding:
    """The verdict of `check` on how much lower robust accuracy is under all losses than under one.

    Args:
        check: with the settings of `LOSSES`.
        gap: share of the `count` examples that the cross-entropy alone does not break.
        text: what was seen.
        ids: of these examples.
        count: of all examples.
        limits: `Limits`.
    """
    bounds = limits[check]
    if not exceeds(gap, bounds.share, count, bounds.least):
        return check.finding("passed", gap, bounds.share, text)
    text += " The cross-entropy alone overstates robustness: report the union."
    level = "warning" if gap > bounds.large_share else "info"
    return check.finding(level, gap, bounds.share, text, ids)


def check_noise(runs: Runs, limits: Limits) -> Finding:
    """C15: random noise breaks nothing that the attacks leave."""
    probe, sizes = runs.probe, limits[NOISE]
    attacked = np.flatnonzero(runs.white_box)
    noise, few = Noise(runs), attacked[attacked < sizes.long_examples]
    every = noise(attacked, 0, sizes.samples)
    long = max(sizes.samples, sizes.long_samples)
    drawn = noise(few, every, long) if every == sizes.samples else every
    only = noise.broken
    share = float(only.mean())
    text = (
        f"{every:,} of {sizes.samples:,} random points of every ball, and {drawn:,} of {long:,} of those "
        f"still robust of the first {min(sizes.long_examples, len(probe.y))}, break "
        f"{format_share(share)} of the examples, which no gradient attack broke."
    )
    if noise.missing:
        text += f" All of them take {noise.missing:,} more passes."
    if only.any():
        text += " The attacks are weaker than chance: gradients mislead them."
        return NOISE.finding("warning", share, 0.0, text, pick_ids(probe.ids, only))
    return NOISE.finding("passed", share, 0.0, text)
