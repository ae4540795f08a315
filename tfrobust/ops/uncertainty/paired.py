"""Which of two classifiers is more robust, from what each did to the same examples."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.uncertainty.probability import load_distributions

DRAWS = 20_000
# Numbers drawn at once, and in all.
_CHUNK, _MOST, _FEWEST = 4_000_000, 80_000_000, 4_000


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


class PairedPosterior:
    """The posterior of how much more robust some runs are than others, all on the same examples.

    Use it for a table: every pair of its rows is compared under the same draws. `sample_differences` has
    the model.

    Args:
        flags: boolean (r, n): which of n examples each of r runs withstands.
        draws: how many; of large tables fewer, down to 4,000, where thousands of examples are each of a
            kind of its own.
        seed: of the draws.

    Example:
    >>> from tfrobust.ops.uncertainty.paired import PairedPosterior
    >>> posterior = PairedPosterior(np.arange(40) < np.array([[30], [20], [10]]), draws=1000)
    >>> bool(posterior.sample([0], [1]).mean() < posterior.sample([0], [2]).mean())
    True
    """

    def __init__(self, flags: np.ndarray, draws: int = DRAWS, seed: int = 0) -> None:
        kinds, counts = _gather_kinds(np.asarray(flags, bool))
        draws = min(draws, max(_FEWEST, _MOST // len(counts)))
        self.draws, self.seed = draws, seed
        concentration = tf.constant(np.concatenate([counts, np.ones(3)]), tf.float64)
        weights, values = load_distributions().Dirichlet(concentration), tf.constant(kinds)
        chunks = math.ceil(draws * len(concentration) / _CHUNK)
        shares, prior = [], []
        for number in range(chunks):
            drawn = weights.sample(math.ceil(draws / chunks), seed=(seed, number))
            shares.append(tf.matmul(drawn[:, :-3], values).numpy())
            prior.append((drawn[:, -3] - drawn[:, -2]).numpy())
        self._noise: dict[int, np.ndarray] = {}
        self._shares, self._prior = np.concatenate(shares)[:draws], np.concatenate(prior)[:draws]

    def sample(self, first: Sequence[int], second: Sequence[int]) -> np.ndarray:
        """Draws of the difference of two methods, float64 (draws,).

        Args:
            first, second: numbers of runs, k each: the runs of the two methods, seed by seed.
        """
        differences = self._shares[:, list(first)] - self._shares[:, list(second)]
        differences += self._prior[:, None]
        mean, seeds = differences.mean(axis=1), len(first)
        if seeds == 1:
            return mean
        return mean + self._draw_student(seeds) * differences.std(axis=1, ddof=1) / np.sqrt(seeds)

    def _draw_student(self, seeds):
        """Draws of Student's distribution for so many seeds, the same for every pair."""
        if seeds not in self._noise:
            one, zero = np.float64(1), np.float64(0)
            student = load_distributions().StudentT(np.float64(seeds - 1), zero, one)
            self._noise[seeds] = student.sample(self.draws, seed=(self.seed, -1)).numpy()
        return self._noise[seeds]


def sample_differences(
    first: np.ndarray, second: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """Draws from the posterior of how much more robust one method is than another.

    Use it for the probability that the one is more robust, or an interval of the difference. The model has
    two levels:

    - The images are a sample, each with the random numbers that the attack drew for it: their weights w
      have a Dirichlet posterior, with three images more, one that only the first method's runs withstand,
      one that only the second's do, one that tells nothing. Of one run each this is the
      Dirichlet-multinomial posterior of the three shares under a uniform prior, and P(first more robust) =
      P(Beta(a + 1, b + 1) > 1/2) for a and b images that only the first and only the second withstands.
    - The seeds are a sample too: given the weights, the differences of the k seeds are draws of a normal
      distribution of unknown mean and variance, with the prior 1/variance; the mean then has Student's
      distribution with k - 1 degrees of freedom.

        d_s = sum_i w_i (first[s, i] - second[s, i]),  w ~ Dirichlet(1, ..., 1)
        d = mean(d_s) + t_{k-1} std(d_s) / sqrt(k)

    Whatever changes with the seed of a run is in the second level: initial weights, order of the data, the
    epoch that was chosen. Of one run each the answer is about these two classifiers, on other images with
    other random numbers of the attack. What an image does in one run only is in both levels, so that
    intervals of several seeds are rather too wide than too narrow.

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

    Reference: Rubin, "The Bayesian bootstrap", 1981, for the weights.
    """
    first, second = map(np.atleast_2d, _check(first, second))
    seeds = len(first)
    posterior = PairedPosterior(np.concatenate([first, second]), draws, seed)
    return posterior.sample(range(seeds), range(seeds, 2 * seeds))


def compute_superiority(
    first: np.ndarray, second: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> float:
    """The posterior probability that one method is more robust than another, see `sample_differences`.

    Example:
    >>> from tfrobust.ops.uncertainty.paired import compute_superiority
    >>> same = np.array([True, False] * 20)
    >>> abs(compute_superiority(same, same) - 0.5) < 0.02
    True
    """
    return float(np.mean(sample_differences(first, second, draws, seed) > 0.0))


def _gather_kinds(flags):
    """Kinds of examples that all runs treat alike, float64 (m, r), and how many there are of each, (m,).

    The largest kind is cut into equal parts, which changes no distribution, so that the numbers drawn at
    once have few sizes: each is traced by itself.
    """
    kinds, counts = np.unique(flags, axis=1, return_counts=True)
    size = 64
    while size < len(counts):
        size *= 4
    largest, parts = int(np.argmax(counts)), size - len(counts) + 1
    repeats = np.where(np.arange(len(counts)) == largest, parts, 1)
    return np.repeat(kinds.T.astype(np.float64), repeats, axis=0), np.repeat(
        counts / repeats, repeats
    )


def _check(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape or first.size == 0:
        raise UserError(
            "Two methods are compared on the same examples and the same seeds. Received: flags of shapes "
            f"{first.shape} and {second.shape}."
        )
    return first, second
