"""How sure a measured accuracy is."""

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
