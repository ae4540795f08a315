"""How much more robust one method's runs are than another's, on the same images and seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrobust.ops.uncertainty.paired import group_rows, sample_differences

Runs = Sequence[dict[str, Any]]


def pair_flags(*methods: Runs) -> tuple[np.ndarray, ...] | None:
    """Which images each method's runs withstand, boolean (k, n), of the k seeds that all of them have.

    Args:
        methods: what `compare.judge_run` returned, for each method.

    Returns:
        A tuple of arrays; None without such a seed, or without a verdict on each image.
    """
    flags = [
        {
            r["seed"]: [c == "1" for c in r["suite"]["robust"]]
            for r in runs
            if "robust" in r["suite"]
        }
        for runs in methods
    ]
    seeds = sorted(set.intersection(*(set(one) for one in flags))) if flags else []
    sizes = {len(one[seed]) for one in flags for seed in seeds}
    if not seeds or len(sizes) > 1:
        return None
    return tuple(np.array([one[seed] for seed in seeds]) for one in flags)


def compare_robust(first: Runs, second: Runs) -> tuple[float, float, float, float] | None:
    """How much more robust one method's runs are than another's, on the same images and seeds.

    Args:
        first, second: what `compare.judge_run` returned.

    Returns:
        The mean difference and the ends of its 95 % interval, in percent, and the probability that the first
        method is the more robust one: of the posterior of `paired.sample_differences`. None without a
        seed that both have, or without a verdict on each image.
    """
    paired = pair_flags(first, second)
    if paired is None:
        return None
    mean = 100 * float(paired[0].mean() - paired[1].mean())
    draws = sample_differences(paired[0], paired[1])
    low, high = (float(end) for end in 100 * np.quantile(draws, (0.025, 0.975)))
    return mean, low, high, float(np.mean(draws > 0.0))


def format_difference(first: Runs, second: Runs) -> str:
    """The difference with its interval, and the probability that the first method is the more robust one."""
    if first is second:
        return ""
    found = compare_robust(first, second)
    if found is None:
        return "not run"
    return "{:+.1f} ({:+.1f} to {:+.1f}), P {:.2f}".format(*found)


def group_methods(results: Mapping[str, Runs]) -> dict[str, str]:
    """Letters for methods: those that share one cannot be told apart on the same images and seeds.

    Args:
        results: gin file -> what `compare.judge_run` returned for its runs; of methods without runs and
            without a verdict on each image nothing is said.

    Returns:
        gin file -> letters, or "" of those.
    """
    judged = {gin: runs for gin, runs in results.items() if runs and pair_flags(runs) is not None}
    paired = pair_flags(*judged.values())
    letters = dict.fromkeys(results, "")
    if paired is not None:
        letters |= dict(zip(judged, group_rows(paired), strict=True))
    return letters
