"""What a comparison found, in sentences."""

from collections.abc import Iterable, Sequence

from tfrobust.comparison.pairs import SURE, Comparison, PairOfMethods

# So many pairs have a sentence each; of more, those with the best method.
_FEW = 6
_SURE = 0.995


def list_sentences(comparison: Comparison) -> list[str]:
    """Sentences for below a table: who is more robust than whom, how sure that is, what was not compared.

    Up to six pairs have a sentence each. Of a larger table these are the pairs with the most robust
    method; those that are sure are one sentence together. For all others the letters speak.

    Args:
        comparison: of the table's rows.

    Example:
    >>> from tfrobust.comparison.compare import compare_methods
    >>> from tfrobust.comparison.pairs import JudgedMethod
    >>> from tfrobust.comparison.text import list_sentences
    >>> from tfrobust.comparison.verdicts import Verdicts
    >>> rows = [JudgedMethod(n, (Verdicts(np.arange(100) < r, 0, {}),)) for n, r in (("A", 90), ("B", 87))]
    >>> print(list_sentences(compare_methods(rows))[0])
    A is more robust than B: P = 0.94 (+3.0 points, 95 % interval ...; McNemar's exact test p = 0.25).
    """
    sentences = []
    for pairs in comparison.classes:
        chosen = (
            pairs if len(pairs) <= _FEW else [p for p in pairs if p.places[0] == pairs[0].places[0]]
        )
        sure = [p for p in chosen if p.probability >= _SURE] if len(pairs) > _FEW else []
        sentences += [format_pair(p) for p in chosen if p not in sure]
        if sure:
            names = ", ".join(p.second for p in sure)
            each = "each of " if len(sure) > 1 else ""
            sentences.append(f"{sure[0].first} is more robust than {each}{names}: P > 0.99.")
    return [*sentences, *comparison.remarks]


def format_pair(pair: PairOfMethods) -> str:
    """The sentence of a pair: "A is more robust than B: P = 0.97 (...)."."""
    low, high = pair.interval
    by_seed = " by seed" if pair.seeds > 1 else ""
    return (
        f"{pair.first} is more robust than {pair.second}: {format_probability(pair.probability)} "
        f"({pair.difference:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}; McNemar's exact test"
        f"{by_seed} {_format_p_values(pair.p_values)})."
    )


def format_difference(pair: PairOfMethods) -> str:
    """The same for the cell of a table: the difference, its interval, and the probability."""
    low, high = pair.interval
    return f"{pair.difference:+.1f} ({low:+.1f} to {high:+.1f}), {format_probability(pair.probability)}"


def format_probability(probability: float) -> str:
    """A probability of the posterior, with as many digits as its draws are good for.

    Example:
    >>> from tfrobust.comparison.text import format_probability
    >>> format_probability(0.974), format_probability(1.0), format_probability(0.0)
    ('P = 0.97', 'P > 0.99', 'P < 0.01')
    """
    if probability >= _SURE:
        return "P > 0.99"
    return "P < 0.01" if probability < 1 - _SURE else f"P = {probability:.2f}"


def _format_p_values(values: Sequence[float]) -> str:
    if max(values) < 1e-3:
        return "p < 0.001"
    shown = values if len(values) <= 3 else (min(values), max(values))
    return "p = " + (", " if len(values) <= 3 else " to ").join(_format_p(p) for p in shown)


def _format_p(value):
    return "< 0.001" if value < 1e-3 else f"{value:.2g}"


def describe_letters(comparisons: Iterable[Comparison]) -> list[str]:
    """What letters and P mean, and of what uncertainty they are: one sentence or two, or none without a pair.

    Args:
        comparisons: of the columns of a table.

    Example:
    >>> from tfrobust.comparison.compare import compare_methods
    >>> from tfrobust.comparison.text import describe_letters
    >>> describe_letters([compare_methods([])])
    []
    """
    pairs = [pair for comparison in comparisons for pair in comparison.pairs]
    if not pairs:
        return []
    seeds = sorted({pair.seeds for pair in pairs})
    images = " or ".join(str(n) for n in sorted({pair.examples for pair in pairs}))
    letters = f"Rows that share a letter in a column are not told apart: P is below {SURE}"
    posterior = f"P is of the posterior over test images ({images})"
    chance = "its choice of the epoch and the attack's random numbers"
    if seeds == [1]:
        return [
            f"{letters}. {posterior}, of one run each: another training seed, with {chance}, is not in it."
        ]
    counts = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    few = " Two seeds seldom tell methods apart." if seeds[-1] == 2 else ""
    alone = " Where two rows have one seed in common, seeds are not in it." if seeds[0] == 1 else ""
    return [
        f"{letters}. {posterior} and training seeds ({counts}), each with {chance}; McNemar's test is of the "
        f"images only.{few}{alone}"
    ]
