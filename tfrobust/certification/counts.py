"""What counts of noisy predictions prove: exact binomial bounds and the radius that follows."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy.special import betainc, betaincinv

from tfrobust.ops.uncertainty.probability import load_distributions

# The version of what counts prove, and of how votes are drawn and counted. Raise it whenever a radius
# changes: what earlier rules proved may not hold, and is not gone on with.
VERSION = 1


def bound_probability(successes: np.ndarray, total: int, alpha: float) -> np.ndarray:
    """Clopper and Pearson's exact lower bound of a probability.

    It is too high with a probability of alpha at most: the alpha-quantile of
    Beta(successes, total - successes + 1), in float64; 0 without a success.

    Args:
        successes: whole numbers in [0, total], (b,).
        total: at least 1.
        alpha: in (0, 1).

    Returns:
        float64 (b,).

    Example:
    >>> from tfrobust.certification.counts import bound_probability
    >>> bound_probability(np.array([0, 100]), 100, alpha=0.001).round(4).tolist()
    [0.0, 0.9333]

    Reference: Clopper and Pearson, "The use of confidence or fiducial limits", 1934.
    """
    successes = np.asarray(successes, np.float64)
    some = np.maximum(successes, 1.0)
    quantile = _compile_quantile()(some, np.float64(total), np.float64(alpha)).numpy()
    others = total - some + 1.0
    # For alpha below 1e-7 or so it misses its tail; SciPy's does not.
    misses = np.abs(betainc(some, others, quantile) / alpha - 1.0) > 1e-9
    quantile = np.where(misses, betaincinv(some, others, alpha), quantile)
    return np.where(successes > 0, quantile, 0.0)


@functools.cache
def _compile_quantile() -> Callable:
    """The quantile as one graph: operation by operation it takes a hundred times as long."""
    beta = load_distributions().Beta
    shapes = [tf.TensorSpec(shape, tf.float64) for shape in ([None], [], [])]
    return tf.function(
        lambda some, total, alpha: beta(some, total - some + 1.0).quantile(alpha),
        shapes,
        autograph=False,
    )


def find_radius(probability: np.ndarray, sigma: float) -> np.ndarray:
    """The radius within which a class of at least this probability under noise stays the likeliest.

        sigma * Phi^-1(p), 0 for p <= 1/2

    Args:
        probability: lower bounds in [0, 1], (b,).
        sigma: standard deviation of the noise.

    Returns:
        float64 (b,), in L2.

    Example:
    >>> from tfrobust.certification.counts import find_radius
    >>> find_radius(np.array([0.4, 0.975]), sigma=0.5).round(3).tolist()
    [0.0, 0.98]

    Reference: Cohen, Rosenfeld and Kolter, "Certified Adversarial Robustness via Randomized Smoothing",
        2019, equation 3 with the bound 1 - p for all other classes together.
    """
    normal = load_distributions().Normal(np.float64(0.0), np.float64(1.0))
    probability = np.asarray(probability, np.float64)
    quantile = normal.quantile(np.maximum(probability, 0.5)).numpy()
    return np.where(probability > 0.5, sigma * quantile, 0.0)


def find_probability(radius: float, sigma: float) -> float:
    """The inverse of `find_radius`: Phi(radius / sigma)."""
    normal = load_distributions().Normal(np.float64(0.0), np.float64(1.0))
    return float(normal.cdf(np.float64(radius / sigma)).numpy())
