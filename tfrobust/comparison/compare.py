"""Every pair of methods of a table, compared on the same test examples and seeds."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tfrobust.comparison.pairs import FEW, SURE, Comparison, JudgedMethod, PairOfMethods
from tfrobust.comparison.verdicts import Verdicts
from tfrobust.errors import UserError, one_line
from tfrobust.ops.uncertainty.letters import find_groups, name_group


def judge_method(name: str, readers: Iterable[Callable[[], Verdicts]]) -> JudgedMethod:
    """Reads the verdicts of a row's runs; why some cannot be read is kept.

    Args:
        name: of the row.
        readers: functions without arguments, one a run, such as partial `read_evaluation`s.
    """
    runs: dict[int | None, Verdicts] = {}
    lacking = []
    for read in readers:
        try:
            found = read()
        except UserError as error:
            lacking.append(one_line(error, 300).rstrip("."))
            continue
        if found.seed in runs:
            lacking.append(
                f"there are two runs of seed {found.seed}, of which the first one counts"
            )
        runs.setdefault(found.seed, found)
    return JudgedMethod(name, tuple(runs.values()), tuple(dict.fromkeys(lacking)))


def compare_methods(methods: Sequence[JudgedMethod]) -> Comparison:
    """Compares every pair of methods that were judged alike, on the seeds that both have.

    Methods that were judged otherwise, under another threat model for example, are compared among
    themselves, and get letters of their own. A method alone is not compared. The remarks say so.

    Args:
        methods: rows of a table; those that have nothing count as not run.

    Example:
    >>> from tfrobust.comparison.compare import compare_methods
    >>> from tfrobust.comparison.pairs import JudgedMethod
    >>> from tfrobust.comparison.verdicts import Verdicts
    >>> def make(name, right):
    ...     return JudgedMethod(name, (Verdicts(np.arange(100) < right, 0, {}),))
    >>> found = compare_methods([make("A", 20), make("B", 90), make("C", 88)])
    >>> found.letters, found.pairs[0].first, found.pairs[0].second
    (('b', 'a', 'a'), 'B', 'C')
    """
    if len(methods) < 2:
        return Comparison(("",) * len(methods), (), ())
    remarks = list(_tell_lacking(methods))
    classes: list[list[tuple[int, JudgedMethod]]] = []
    for place, method in enumerate(methods):
        if not method.runs:
            continue
        kept, told = _keep_alike(method)
        remarks += told
        fitting = (c for c in classes if all(_find_difference(m, kept) is None for _, m in c))
        _append(classes, next(fitting, None), (place, kept))
    letters, compared, used = [""] * len(methods), [], 0
    for members in classes:
        if len(members) == 1:
            continue
        pairs, told, groups = _compare_class(members)
        compared.append(tuple(pairs))
        remarks += told
        for number, group in enumerate(groups):
            for place in group:
                letters[place] += name_group(used + number)
        used += len(groups)
    return Comparison(tuple(letters), tuple(compared), (*remarks, *_tell_classes(classes)))


def _tell_lacking(methods):
    """Sentences on what cannot be read, one for each reason."""
    reasons: dict[str, list[str]] = {}
    for method in methods:
        for reason in method.lacking:
            some = f"some runs of {method.name}" if method.runs else method.name
            reasons.setdefault(reason, []).append(some)
    for reason, names in reasons.items():
        are = "is" if len(names) == 1 and not names[0].startswith("some runs") else "are"
        told = ", ".join(names) if len(names) <= FEW else f"{len(names)} of {len(methods)} rows"
        yield f"{told} {are} not compared: {reason}."


def _append(classes, fitting, member):
    if fitting is None:
        classes.append([member])
    else:
        fitting.append(member)


def _keep_alike(method):
    """The runs that were judged as the first one was, and sentences on the others."""
    told, kept = [], []
    for run in method.runs:
        what = method.runs[0].find_difference(run)
        if what is None:
            kept.append(run)
        else:
            told.append(
                f"Seed {run.seed} of {method.name} is not compared: it differs from the first run in the "
                f"{what}."
            )
    return dataclasses.replace(method, runs=tuple(kept)), told


def _find_difference(one, other):
    return one.runs[0].find_difference(other.runs[0])


def _compare_class(members):
    """Pairs, sentences, and groups of places, of methods that were judged alike."""
    from tfrobust.ops.uncertainty.paired import PairedPosterior, compute_mcnemar

    order = sorted(members, key=lambda m: -float(np.mean([run.robust for run in m[1].runs])))
    runs = [run for _, method in order for run in method.runs]
    numbers = itertools.count()
    numbered = [[(next(numbers), run) for run in method.runs] for _, method in order]
    posterior = PairedPosterior(np.stack([run.robust for run in runs]))
    size = len(order)
    apart, pairs, told = np.zeros((size, size), bool), [], []
    for one, other in itertools.combinations(range(size), 2):
        names = order[one][1].name, order[other][1].name
        first, second = _pair_seeds(numbered[one], numbered[other])
        if not first:
            told.append(f"{names[0]} and {names[1]} are not compared: they have no seed in common.")
            continue
        draws = posterior.sample(first, second)
        flags = [np.stack([runs[number].robust for number in side]) for side in (first, second)]
        low, high = (float(100 * end) for end in np.clip(np.quantile(draws, (0.025, 0.975)), -1, 1))
        probability = float(np.mean(draws > 0.0))
        apart[one, other] = apart[other, one] = max(probability, 1 - probability) >= SURE
        p_values = tuple(compute_mcnemar(a, b) for a, b in zip(*flags, strict=True))
        difference = 100 * float(flags[0].mean() - flags[1].mean())
        places = order[one][0], order[other][0]
        pairs.append(
            PairOfMethods(
                *names, places, difference, (low, high), probability, p_values, len(flags[0][0])
            )
        )
    groups = [tuple(order[row][0] for row in group) for group in find_groups(apart, range(size))]
    return pairs, told, groups


def _pair_seeds(one, other):
    """Numbers of the runs of both, seed by seed. One run each is compared whatever its seed."""
    if len(one) == len(other) == 1:
        return [one[0][0]], [other[0][0]]
    seeds = {run.seed: number for number, run in other}
    both = [(number, seeds[run.seed]) for number, run in one if run.seed in seeds]
    return [first for first, _ in both], [second for _, second in both]


def _tell_classes(classes):
    """Sentences on methods that were compared with nothing, or only among themselves."""
    largest = max(classes, key=len, default=[])
    if len(classes) == len(largest) == 1:
        yield f"{largest[0][1].name} is not compared: no other row has a verdict on each example."
    for members in classes:
        if members is largest:
            continue
        one, other = members[0][1], largest[0][1]
        what = next(filter(None, (_find_difference(m, one) for _, m in largest)), "test")
        seen, expected = _get_asked(one, what), _get_asked(other, what)
        why = f"from {other.name} in the {what}: {seen}, not {expected}"
        if len(members) == 1:
            yield f"{one.name} is not compared with any row: it differs {why}."
        else:
            names = ", ".join(method.name for _, method in members)
            yield f"{names} are compared among themselves only: they differ {why}."


def _get_asked(method, what):
    run = method.runs[0]
    return run.asked.get(what, str(len(run.robust)))
