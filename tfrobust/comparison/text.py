"""What a comparison found, in sentences."""

from collections.abc import Iterable

from tfrobust.comparison.pairs import (
    FEW,
    NEARLY_ONE,
    SURE,
    Comparison,
    PairOfMethods,
    format_probability,
)


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
            pairs if len(pairs) <= FEW else [p for p in pairs if p.places[0] == pairs[0].places[0]]
        )
        sure = [p for p in chosen if p.probability >= NEARLY_ONE] if len(pairs) > FEW else []
        sentences += [str(p) for p in chosen if p not in sure]
        if sure:
            names = ", ".join(p.second for p in sure)
            each = "each of " if len(sure) > 1 else ""
            sentences.append(f"{sure[0].first} is more robust than {each}{names}: P > 0.99.")
    return [*sentences, *comparison.remarks]


def format_difference(pair: PairOfMethods) -> str:
    """The same for the cell of a table: the difference, its interval, and the probability."""
    low, high = pair.interval
    return f"{pair.difference:+.1f} ({low:+.1f} to {high:+.1f}), {format_probability(pair.probability)}"


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
    posterior = (
        f"P is of the posterior over test images ({images}), each with its own random numbers of the "
        "attack,"
    )
    epoch = "with its choice of the epoch"
    if seeds == [1]:
        return [
            f"{letters}. {posterior} of one run each: another training seed, {epoch}, is not in it."
        ]
    counts = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    few = " Two seeds seldom tell methods apart." if seeds[-1] == 2 else ""
    alone = " Where two rows have one seed in common, seeds are not in it." if seeds[0] == 1 else ""
    return [
        f"{letters}. {posterior} and over training seeds ({counts}), each {epoch}; McNemar's test is of the "
        f"images only.{few}{alone}"
    ]


def describe_seeds(rows: int, seeds: int) -> list[str]:
    """What will be missing in a comparison of so many rows with so few seeds each; nothing from three on.

    Use it before runs are trained.

    Example:
    >>> from tfrobust.comparison.text import describe_seeds
    >>> describe_seeds(rows=5, seeds=3), describe_seeds(rows=1, seeds=1)
    ([], [])
    >>> describe_seeds(rows=5, seeds=2)
    ['Two seeds seldom tell rows apart: ... Give --seeds=0,1,2 or more.']
    """
    if rows < 2 or seeds > 2:
        return []
    if seeds == 2:
        return [
            "Two seeds seldom tell rows apart: the 95 % interval is 12.7 standard errors to each side, of "
            "three seeds 4.3. Give --seeds=0,1,2 or more."
        ]
    return [
        "With one seed a row, P and intervals will be of these models, not of their methods: training seeds "
        "are not in them. Give --seeds=0,1,2 or more."
    ]
