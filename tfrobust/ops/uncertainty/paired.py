"""Which of two classifiers is more robust, from what each did to the same examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.uncertainty.probability import load_distributions

_DRAWS = 20_000
# For a table of many rows.
_FEWER = 4_000
# Numbers drawn at once.
_CHUNK = 4_000_000


def compute_mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """McNemar's exact test of two classifiers on the same examples: a two-sided p-value.

    Only examples that one of them loses and the other does not say anything; of those half would be lost by
    each if the two were equally robust.

    Args:
        first, second: boolean (n,): which examples are robust.

    Returns:
        The probability, in [0, 1], of a split at least as uneven; 1.0 where no example tells them apart.

    Example:
    >>> from tfrobust.ops.uncertainty.paired import compute_mcnemar
    >>> first = np.array([True] * 9 + [False])
    >>> compute_mcnemar(first, ~first & False), compute_mcnemar(first, first)
    (0.00390625, 1.0)

    Reference: McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    from scipy.stats import binomtest

    first, second = _check(first, second)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def sample_differences(
    first: np.ndarray, second: np.ndarray, draws: int = _DRAWS, seed: int = 0
) -> np.ndarray:
    """Draws from the posterior of how much more robust one method is than another.

    Use it for the probability that the one is more robust, or an interval of the difference.

    The images are a sample: their weights have a Dirichlet posterior, with three images more, one that only
    the first method's runs withstand, one that only the second's do, one that tells nothing. Of one
    run each it is the Dirichlet-multinomial posterior of the three shares under a uniform prior. The runs
    of several seeds, all on the same images, are a sample too: given the weights, the difference of the
    means has Student's distribution with k - 1 degrees of freedom around the mean over k seeds, scaled
    by their standard error. Noise of the attack and the choice of the checkpoint are in it as far as
    seeds change them.

        d_s = sum_i w_i (first[s, i] - second[s, i]),  w ~ Dirichlet(1, ..., 1)
        d = mean(d_s) + t_{k-1} std(d_s) / sqrt(k)

    Args:
        first, second: boolean (k, n) of k seeds, or (n,) of one: which examples are robust; the same
            examples and the same seeds in both.
        draws: how many.
        seed: of the draws.

    Returns:
        float64 (draws,), in [-1, 1] but for the tails of few seeds.

    Raises:
        UserError: the shapes differ.

    Example:
    >>> from tfrobust.ops.uncertainty.paired import sample_differences
    >>> first = np.array([True] * 30 + [False] * 10)
    >>> found = sample_differences(first, np.array([True] * 20 + [False] * 20))
    >>> bool(0.15 < found.mean() < 0.3), bool((found > 0).mean() > 0.99)
    (True, True)
    """
    first, second = _check(first, second)
    difference = np.atleast_2d(first).astype(np.float64) - np.atleast_2d(second)
    seeds = len(difference)
    prior = np.tile(np.array([1.0, -1.0, 0.0]), (seeds, 1))
    values = tf.constant(np.concatenate([difference, prior], axis=1))
    distributions, parts = load_distributions(), []
    images = distributions.Dirichlet(tf.ones(values.shape[1], tf.float64))
    at_once = max(1, _CHUNK // values.shape[1])
    for number, begin in enumerate(range(0, draws, at_once)):
        count = min(at_once, draws - begin)
        weights = images.sample(count, seed=(seed, number))
        parts.append(tf.matmul(weights, values, transpose_b=True).numpy())
    by_seed = np.concatenate(parts)
    mean = by_seed.mean(axis=1)
    if seeds == 1:
        return mean
    student = distributions.StudentT(np.float64(seeds - 1), np.float64(0), np.float64(1))
    noise = student.sample(draws, seed=(seed, -1)).numpy()
    return mean + noise * by_seed.std(axis=1, ddof=1) / np.sqrt(seeds)


def compute_superiority(
    first: np.ndarray, second: np.ndarray, draws: int = _DRAWS, seed: int = 0
) -> float:
    """The posterior probability that one method is more robust than another, see `sample_differences`.

    Example:
    >>> from tfrobust.ops.uncertainty.paired import compute_superiority
    >>> same = np.array([True, False] * 20)
    >>> abs(compute_superiority(same, same) - 0.5) < 0.02
    True
    """
    return float(np.mean(sample_differences(first, second, draws, seed) > 0.0))


def group_rows(rows: Sequence[np.ndarray], confidence: float = 0.975) -> list[str]:
    """Letters for the rows of a table: rows that share one cannot be told apart.

    Args:
        rows: for each method its flags, boolean (k, n) or (n,), on the same examples and seeds.
        confidence: the probability of being more robust from which two rows are told apart.

    Returns:
        For each row its letters, "a" for the most robust ones.

    Example:
    >>> from tfrobust.ops.uncertainty.paired import group_rows
    >>> def make(right):
    ...     return np.arange(100) < right
    >>> group_rows([make(90), make(20), make(88)])
    ['a', 'b', 'a']
    """
    order = sorted(range(len(rows)), key=lambda i: -float(np.mean(rows[i])))
    letters = [""] * len(rows)
    last_end, name = -1, 0
    for begin in range(len(order)):
        end = begin
        while end + 1 < len(order) and (
            compute_superiority(rows[order[begin]], rows[order[end + 1]], _FEWER) < confidence
        ):
            end += 1
        if end > last_end:
            for place in order[begin : end + 1]:
                letters[place] += _name(name)
            last_end, name = end, name + 1
    return letters


def _name(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"({number})"


def _check(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape or first.size == 0:
        raise UserError(
            "Two methods are compared on the same examples and the same seeds. Received: flags of shapes "
            f"{first.shape} and {second.shape}."
        )
    return first, second
