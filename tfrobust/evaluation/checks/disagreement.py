"""Checks that no other loss and no noise finds more: C15, C16."""

import numpy as np

from tfrobust.attacks.noise import RandomNoise
from tfrobust.evaluation.checks.answers import chosen, more_than, percent
from tfrobust.evaluation.checks.finding import Finding


def losses(runs, limits):
    """C16: the cross-entropy alone finds what margin, DLR and targets find."""
    entropy, together = runs.on_entropy_any, runs.white_box
    margin = runs.climb().robust & runs.on_ratio.robust
    gap = float(entropy.mean() - together.mean())
    text = (
        f"Robust accuracy is {percent(entropy.mean())} under the cross-entropy, "
        f"{percent(margin.mean())} under "
        f"margin and DLR, {percent(runs.targeted.robust.mean())} under targets, and "
        f"{percent(together.mean())} under all."
    )
    return verdict(gap, text, chosen(runs.probe.ids, entropy & ~together), len(entropy), limits)


def verdict(gap, text, ids, count, limits):
    """C16 from how much lower robust accuracy is under all losses than under the cross-entropy.

    A few points are usual among models that are honestly trained (natural 7.8, one-step ATLAS 5.1, ADV
    1.2, TRADES 1.6 on the digits); gradients that saturate cost far more.
    """
    title, limit = "losses", limits.loss_difference
    if not more_than(gap, limit, count, limits.least):
        return Finding("C16", title, "passed", gap, limit, text)
    text += " The cross-entropy alone overstates robustness: report the union."
    level = "warning" if gap > limits.large_loss_difference else "info"
    return Finding("C16", title, level, gap, limit, text, ids)


def noise(runs, limits):
    """C15: random noise breaks nothing that the attacks leave."""
    probe, title = runs.probe, "random noise"
    attack = RandomNoise(probe.threat_model, limits.noise_samples)
    # What the attacks broke needs no noise.
    broken = ~runs.made(attack).robust & probe.clean
    few = np.arange(min(limits.long_noise_examples, len(probe.y)))
    wanted, tried, call = limits.long_noise_samples, 0, 0
    left = few[(runs.white_box & ~broken)[few]]
    while left.size and tried < wanted and runs.cost(attack) <= runs.budget.left:
        runs.budget.take(runs.cost(attack))
        call += 1
        # Always as many rows, so that nothing is traced anew; of few examples there are several copies.
        rows = np.resize(left, len(probe.y))
        x, y = probe.x[rows], probe.y[rows]
        found = attack(probe.forward, x, y, seed=call).x.numpy()
        broken[rows[np.argmax(probe.logits(found), axis=1) != y]] = True
        tried += limits.noise_samples * (len(rows) // left.size)
        left = few[(runs.white_box & ~broken)[few]]
    drawn = f"{min(tried, wanted):,} of {wanted:,} of each" if left.size else f"up to {wanted:,}"
    only = broken & runs.white_box
    share = float(only.mean())
    text = (
        f"{limits.noise_samples} random points of every ball, and {drawn} of those that stood of the first "
        f"{len(few)}, break {percent(broken.mean())} of the examples, {percent(share)} that no "
        "gradient attack "
        "broke."
    )
    if only.any():
        text += " The attacks are weaker than chance: gradients mislead them."
        return Finding("C15", title, "warning", share, 0.0, text, chosen(probe.ids, only))
    return Finding("C15", title, "passed", share, 0.0, text)
