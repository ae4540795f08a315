"""How sure a measured accuracy is."""

import math
import statistics
from collections.abc import Sequence

from tfrobust.errors import UserError


def binomial_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion.

    Says how far the accuracy on `total` examples may be from that on all examples of their kind. Unlike
    `p ± 1.96 sqrt(p (1 - p) / n)` it stays within [0, 1] and is honest near both ends. With p =
    successes / total, n = total and z the normal quantile of (1 + confidence) / 2:

        (p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n)

    Args:
        successes: how many were right, an integer in [0, total].
        total: how many were asked, at least 1.
        confidence: in (0, 1).

    Returns:
        `(low, high)`, with 0 <= low <= successes / total <= high <= 1.

    Raises:
        UserError: numbers that are not counts, or a confidence outside (0, 1).

    Example:
    >>> [round(end, 3) for end in binomial_interval(292, 360)]
    [0.767, 0.848]

    Reference:
        E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.
    """
    if not (0 <= successes <= total and total >= 1 and successes == int(successes)):
        raise UserError(
            f"An interval needs counts with 0 <= successes <= total and total >= 1. "
            f"Received successes={successes}, total={total}."
        )
    if not 0 < confidence < 1:
        raise UserError(
            f"`confidence` must be between 0 and 1, such as 0.95. Received {confidence}."
        )
    from scipy.stats import binomtest  # half a second, and only reports need it

    interval = binomtest(int(successes), int(total)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(shares: Sequence[float], total: int) -> tuple[float, float]:
    """Interval of 95 % for the mean accuracy of runs that differ by their seed, on the same examples.

    Both kinds of chance add by their squares: of the examples, Wilson's interval (l, u) for the mean p on n
    of them; of the k seeds, the quantile t of Student's distribution with k - 1 degrees of freedom times the
    standard error of the mean, with the sample variance s²:

        p - sqrt((p - l)² + t² s² / k)  to  p + sqrt((u - p)² + t² s² / k),  within [0, 1]

    Of one run it is Wilson's interval; of seeds that agree, too.

    Args:
        shares: accuracies in [0, 1], one a seed.
        total: how many examples, at least 1.

    Returns:
        `(low, high)`, with 0 <= low <= p <= high <= 1.

    Example:
    >>> from tfrobust.ops.uncertainty.interval import binomial_interval, mean_interval
    >>> mean_interval([0.0, 0.0, 0.0], 500) == binomial_interval(0, 500)
    True
    >>> [round(end, 3) for end in mean_interval([0.79, 0.81, 0.80], 10_000)]
    [0.774, 0.826]

    Reference:
        G. Y. Zou and A. Donner, Construction of confidence limits about effect measures: a general approach,
        Statistics in Medicine 2008.
    """
    from scipy.stats import t as student

    mean, count = statistics.fmean(shares), len(shares)
    low, high = binomial_interval(round(mean * total), total)
    if count == 1:
        return low, high
    error = float(student.ppf(0.975, count - 1)) * statistics.stdev(shares) / math.sqrt(count)
    return (
        max(0.0, mean - math.hypot(mean - low, error)),
        min(1.0, mean + math.hypot(high - mean, error)),
    )
