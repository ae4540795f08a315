"""Two classifiers, or two methods over several seeds, by their evaluations."""

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tfrobust.comparison.compare import compare_methods
from tfrobust.comparison.pairs import JudgedMethod, PairOfMethods
from tfrobust.comparison.verdicts import (
    Verdicts,
    describe_evaluation,
    hash_examples,
    read_evaluation,
)
from tfrobust.errors import UserError


class Judged(Protocol):
    """What is asked of an evaluation; `evaluation.Evaluation` has it.

    Attributes:
        ids, labels: int (n,).
        robust: boolean (n,).
        outcomes: of the attacks.
        threat_model: `ThreatModel`.
        suite, suite_hash, data, votes, nan_counts: what was asked.
    """

    ids: np.ndarray
    labels: np.ndarray
    outcomes: tuple
    threat_model: Any
    suite: str
    suite_hash: str
    data: str
    votes: int
    nan_counts: str

    @property
    def robust(self) -> np.ndarray: ...


One = Judged | str | os.PathLike


def compare_evaluations(
    first: One | Sequence[One], second: One | Sequence[One], names: Sequence[str] = ("A", "B")
) -> PairOfMethods:
    """Which of two classifiers is more robust, and how sure that is, from evaluations of both.

    Use it before you call one of them the better one: on the same test examples the difference of two
    accuracies is known better than either of them, and often not well enough. Give several evaluations of
    each, one a training seed, to compare the methods that trained them.

        P(first more robust) under a Dirichlet-multinomial posterior over the examples that only one of
        them withstands; over several seeds with Student's distribution of the seeds around it

    Args:
        first, second: an `Evaluation`, or the path of its folder; or a sequence of them, one for each
            training seed, of the same seeds in the same order.
        names: of the two, for the sentence.

    Returns:
        `PairOfMethods`: `difference` in percent, its `interval` of 95 %, `probability` that the first one is
        more robust, `is_sure`, and `p_values` of McNemar's exact test. Printed, it is a sentence.

    Raises:
        UserError: the two were not asked the same: another threat model, suite, data or examples; their
            numbers of seeds differ; or a folder holds no evaluation with a verdict on each example.

    Example:
    >>> model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> x, y = np.linspace(0, 1, 200, dtype="float32").reshape(-1, 1, 1, 1), np.arange(200) // 100
    >>> attack, found = tfrobust.PGD(tfrobust.Linf(0.1), steps=1, step_size=0.2), []
    >>> for threshold in (0.5, 0.42):
    ...     model.set_weights([np.array([[-9.0, 9.0]]), np.array([9.0, -9.0]) * threshold])
    ...     found.append(tfrobust.evaluate(model, (x, y), attack, checks="none"))
    >>> pair = tfrobust.compare_evaluations(*found, names=("half", "less"))
    >>> print(pair)
    half is more robust than less: P = 0.50 (+0.0 points, 95 % interval ...; McNemar's exact test p = 1).

    Reference: docs/evaluation.md, "Which of two models is more robust", has the model and what it leaves out.
    """
    if isinstance(names, str) or len(names) != 2:
        raise UserError(
            f"`names` must be two texts, such as ('trades', 'adv'). Received: {names!r}."
        )
    both = [_judge(name, some) for name, some in zip(names, (first, second), strict=True)]
    counts = [len(method.runs) for method in both]
    if counts[0] != counts[1] or not counts[0]:
        raise UserError(
            "Two methods are compared seed by seed: give one evaluation of each, or as many of the one as of "
            f"the other. Received: {counts[0]} and {counts[1]}."
        )
    _check_alike(both)
    (pair,) = compare_methods(both).pairs
    return pair if pair.places == (0, 1) else pair.turn()


def _check_alike(both):
    first, *others = [run for method in both for run in method.runs]
    for other in others:
        what = first.find_difference(other)
        if what is not None:
            seen = " and ".join(r.asked.get(what, str(len(r.robust))) for r in (first, other))
            raise UserError(
                f"{both[0].name} and {both[1].name} were not asked the same; the evaluations differ in the "
                f"{what}: {seen}. Evaluate both alike."
            )


def _judge(name, given):
    several = given if isinstance(given, (list, tuple)) else [given]
    return JudgedMethod(str(name), tuple(_read(one, seed) for seed, one in enumerate(several)))


def _read(given, seed):
    if isinstance(given, (str, os.PathLike)):
        return read_evaluation(given, seed)
    if not given.outcomes:
        raise UserError("An evaluation without attacks has no robust accuracy to compare.")
    asked = describe_evaluation(
        threat_model=f"{type(given.threat_model).__name__} {given.threat_model.radius():g}",
        suite=given.suite,
        suite_hash=given.suite_hash,
        data=given.data,
        examples=hash_examples(given.ids, given.labels),
        votes=given.votes,
        nan_counts=given.nan_counts,
    )
    return Verdicts(given.robust, seed, asked)
