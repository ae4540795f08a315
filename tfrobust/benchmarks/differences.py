"""How much more robust one method's runs are than another's, on the same images and seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats

from tfrobust.ops.uncertainty.paired import find_probability, group_rows

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


def compare_robust(first: Runs, second: Runs) -> tuple[float, float, float] | None:
    """How much more robust one method's runs are than another's, on the same images and seeds.

    With d[s, i] the difference on image i of the runs of seed s, 1, 0 or -1, and k seeds, n images:

        mean(d) ± t sqrt(var_s(mean_i d) / k + var_i(mean_s d) / n)

    with sample variances and the 97.5 % quantile t of Student's distribution with k - 1 degrees of freedom;
    of a single seed the second variance alone and the normal quantile.

    Args:
        first, second: what `compare.judge_run` returned.

    Returns:
        The mean and the ends of the 95 % interval, in percent; None without a seed that both have, or without
        a verdict on each image.
    """
    paired = pair_flags(first, second)
    if paired is None:
        return None
    difference = np.subtract(*(flags.astype(float) for flags in paired))
    seeds = len(difference)
    variance = difference.mean(0).var(ddof=1) / difference.shape[1]
    quantile = scipy.stats.norm.ppf(0.975)
    if seeds > 1:
        variance += difference.mean(1).var(ddof=1) / seeds
        quantile = scipy.stats.t.ppf(0.975, seeds - 1)
    mean, half = 100 * float(difference.mean()), 100 * float(quantile * np.sqrt(variance))
    return mean, mean - half, mean + half


def format_difference(first: Runs, second: Runs) -> str:
    """The difference with its interval, and the probability that the first method is the more robust one."""
    if first is second:
        return ""
    found, paired = compare_robust(first, second), pair_flags(first, second)
    if found is None or paired is None:
        return "not run"
    mean, low, high = found
    return (
        f"{mean:+.1f} ({low:+.1f} to {high:+.1f}), P {find_probability(paired[0], paired[1]):.2f}"
    )


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
