"""The one sentence of an evaluation, and whether it may be believed."""

from tfrobust.ops.interval import binomial_interval

DISTRUST = ("severe", "error")
# A list of so many attacks may be called an estimate, whatever its name.
SEVERAL = 4


def find_doubts(findings):
    """The findings that say that the number is not trustworthy."""
    return [finding for finding in findings if finding.level in DISTRUST]


def is_estimate(evaluation):
    """Whether the suite is strong enough to be called an estimate of robust accuracy."""
    count = len(evaluation.outcomes)
    return count > 0 and (evaluation.suite.startswith("autoattack") or count >= SEVERAL)


def headline(evaluation):
    """One sentence: the accuracy under the suite, as the upper bound that it is.

    Only AutoAttack's versions and lists of at least four attacks are said to estimate robust accuracy; a
    shorter one is named, and its number is that of accuracy under it.

    Args:
        evaluation: `Evaluation` of at least one example, with its findings.
    """
    total, count = len(evaluation.ids), len(evaluation.outcomes)
    right = int(evaluation.robust.sum())
    low, high = binomial_interval(right, total)
    value = f"{100 * right / total:.2f} %"
    size = f"{total} example{'' if total == 1 else 's'}, 95 % interval {100 * low:.2f} to {100 * high:.2f} %"
    if not count:
        text = (
            f"clean accuracy {value} ({size}); no attack was run, so nothing is said of robustness"
        )
    elif is_estimate(evaluation):
        union = f"union of {count} attack{'' if count == 1 else 's'}"
        text = f"robust accuracy <= {value} (upper bound by {evaluation.suite}; {union}, {size})"
    else:
        name = evaluation.suite
        if name == "custom":
            name = " and ".join(outcome.name for outcome in evaluation.outcomes)
        text = f"accuracy under {name}: {value} (an upper bound of robust accuracy, no estimate; {size})"
    if evaluation.votes > 1:
        text += f"; every image is judged by a vote of {evaluation.votes} passes"
    lost = int(evaluation.unanswered.sum())
    if lost:
        text += f"; {lost} without finite logits count{'s' if lost == 1 else ''} as {evaluation.nan_counts}"
    doubts = find_doubts(evaluation.findings)
    if doubts:
        text = f"not trustworthy: {', '.join(dict.fromkeys(f.id for f in doubts))}; {text}"
    return text
