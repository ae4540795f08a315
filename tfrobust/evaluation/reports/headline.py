"""The one sentence of an evaluation, and whether it can be trusted."""

from collections.abc import Iterable

from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.engine.evaluation import Evaluation
from tfrobust.ops.uncertainty.interval import binomial_interval

DISTRUST = ("severe", "error")
# A suite of so many attacks may be called an estimate, whatever its name.
SEVERAL = 4


def find_doubts(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the findings for which the number is not trustworthy."""
    return [finding for finding in findings if finding.level in DISTRUST]


def is_estimate(evaluation: Evaluation) -> bool:
    """Whether the suite is strong enough to be called an estimate of robust accuracy."""
    count = len(evaluation.outcomes)
    return count > 0 and (evaluation.suite.startswith("autoattack") or count >= SEVERAL)


def headline(evaluation: Evaluation) -> str:
    """Returns one sentence: the accuracy under the suite, an upper bound of robust accuracy.

    Only AutoAttack's versions and lists of at least four attacks are said to estimate robust accuracy; a
    shorter one is named, and its number is that of accuracy under it.

    Args:
        evaluation: `Evaluation` of at least one example, with its findings.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> data = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> attack = tfrobust.PGD(tfrobust.Linf(0.0), steps=1)
    >>> evaluation = tfrobust.evaluate(model, data, attack, checks="none")
    >>> tfrobust.evaluation.headline(evaluation).split(" (")[0]
    'accuracy under pgd: 50.00 %'
    """
    total, count = len(evaluation.ids), len(evaluation.outcomes)
    right = int(evaluation.robust.sum())
    low, high = binomial_interval(right, total)
    value = f"{100 * right / total:.2f} %"
    size = f"{total} example{'' if total == 1 else 's'}, 95 % interval {100 * low:.2f} to {100 * high:.2f} %"
    if not count:
        text = f"clean accuracy {value} ({size}); no attack was run, so robustness is unknown"
    elif is_estimate(evaluation):
        union = f"union of {count} attack{'' if count == 1 else 's'}"
        text = f"robust accuracy <= {value} (upper bound by {evaluation.suite}; {union}, {size})"
    else:
        name = evaluation.suite
        if name == "custom":
            name = " and ".join(outcome.name for outcome in evaluation.outcomes)
        text = f"accuracy under {name}: {value} (an upper bound of robust accuracy, no estimate; {size})"
    if evaluation.certified is not None:
        text += f"; at least {100 * evaluation.certified.mean():.2f} % are certified"
    if evaluation.votes > 1:
        text += f"; every image is judged by a vote of {evaluation.votes} passes"
    lost = int(evaluation.unanswered.sum())
    if lost:
        text += f"; {lost} without finite logits count{'s' if lost == 1 else ''} as {evaluation.nan_counts}"
    doubts = find_doubts(evaluation.findings)
    if doubts:
        text = f"not trustworthy: {', '.join(dict.fromkeys(f.id for f in doubts))}; {text}"
    return text


_CHANGES = {
    "Linf": "by up to {} of the range from black to white in every pixel",
    "L2": "by up to {} in Euclidean length over all pixels, each between 0 and 1",
    "L1": "by up to {} in total over all pixels, each between 0 and 1",
}


def describe_change(norm: str, epsilon: float | str) -> str:
    """How an image may be changed, for readers who don't know the field.

    Example:
    >>> from tfrobust.evaluation.reports.headline import describe_change
    >>> describe_change("Linf", "8/255")
    'by up to 8/255 of the range from black to white in every pixel'
    """
    return _CHANGES.get(norm, "within a threat model of radius {}").format(epsilon)


def explain(ours: dict) -> tuple[str, str, str]:
    """Returns three sentences for readers who don't know the field: what, how strongly, what survived.

    Args:
        ours: the part "tfrobust" of `report.json`.
    """
    clean, robust, attacks = ours["clean"], ours["robust"], ours["attacks"]
    what = (
        f"The classifier ({ours['model']}) was shown {clean['total']} images of {name_data(ours['data'])} in "
        f"{ours['num_classes']} classes, and recognises {_share(clean)} of them as they are."
    )
    doubts = [f["id"] for f in ours["findings"] if f["level"] in DISTRUST]
    doubtful = f" The checks {', '.join(dict.fromkeys(doubts))} say why this cannot be relied on."
    if robust is None:
        how = "Nobody tried to deceive it: no attack was run."
        survived = "How many of its answers an adversary could change is unknown."
        return what, how, survived + (doubtful if doubts else "")
    change = describe_change(ours["norm"], ours["epsilon"])
    count = "One attack" if len(attacks) == 1 else f"{len(attacks)} attacks"
    how = f"{count} then tried to deceive it by changing each image {change}."
    more = (
        "stronger attacks could only lower this number."
        if ours["estimate"]
        else "this is no estimate of its robustness, since stronger attacks may well lower the number."
    )
    survived = f"It still recognises {_share(robust)} under all of them; {more}"
    if len(attacks) == 1:
        survived = survived.replace("under all of them", "under attack")
    if ours.get("certified"):
        survived += (
            f" For {_share(ours['certified'])} of all it is proven that no such change succeeds."
        )
    return what, how, survived + (doubtful if doubts else "")


def name_data(name: str) -> str:
    """A source, and which split of it, in words, with a comma behind.

    Example:
    >>> from tfrobust.evaluation.reports.headline import name_data
    >>> name_data("digits test"), name_data("photos.npz")
    ('the test split of digits,', 'photos.npz,')
    """
    source, _, split = name.rpartition(" ")
    known = source and split in ("train", "validation", "test")
    return f"the {split} split of {source}," if known else f"{name},"


def _share(count):
    return f"{count['right']} ({100 * count['accuracy']:.2f} %)"
