"""What `report.json` says of each attack."""

import numpy as np

from tfrobust.evaluation.engine.evaluation import Evaluation
from tfrobust.evaluation.reports.passes import count_theoretical_passes
from tfrobust.ops.uncertainty.interval import binomial_interval


def count_right(flags: np.ndarray) -> dict:
    """Counts how many of how many are true, with the accuracy and its 95 % interval.

    Example:
    >>> from tfrobust.evaluation.reports.attack_summary import count_right
    >>> count = count_right(np.array([True, True, False, True]))
    >>> count["right"], count["total"], count["accuracy"]
    (3, 4, 0.75)
    """
    right, total = int(np.sum(flags)), len(flags)
    interval = binomial_interval(right, total)
    return {"right": right, "total": total, "accuracy": right / total, "interval": interval}


def summarize_attacks(evaluation: Evaluation) -> list[dict]:
    """Returns a dict of values for each attack of an `Evaluation`, in order."""
    clean = standing = evaluation.clean
    first, rows = evaluation.first_broken_by, []
    for place, outcome in enumerate(evaluation.outcomes):
        standing = standing & ~outcome.broken
        # An attack that was not given all has no accuracy of its own.
        complete = bool((outcome.attempted == clean).all())
        theory = count_theoretical_passes(outcome.attack, evaluation.num_classes)
        stood = outcome.attempted & ~outcome.broken
        attempted = int(outcome.attempted.sum())
        needed = int(outcome.forwards.sum() + outcome.backwards.sum())
        rows.append(
            {
                "name": outcome.name,
                "attack": repr(outcome.attack),
                "attempted": attempted,
                "broken": int(outcome.broken.sum()),
                "first_broken": int((first == place).sum()),
                "rejected": int(outcome.rejected.sum()),
                "outvoted": int(outcome.outvoted.sum()),
                "unanswered": int(outcome.unanswered.sum()),
                "marginal": count_right(clean & ~outcome.broken) if complete else None,
                "cumulative": count_right(standing),
                "passes": {
                    "needed": _average_passes(outcome, outcome.attempted),
                    "needed_where_not_broken": _average_passes(outcome, stood),
                    "theory_where_not_broken": theory,
                    "computed": outcome.passes if outcome.attack.counts_passes else None,
                },
                "padding": 1 - needed / sum(outcome.passes) if sum(outcome.passes) else None,
                "busy": outcome.busy,
                "streams": outcome.streams,
                "slots": outcome.slots,
                "traces": outcome.traces,
                "seconds": outcome.seconds,
                "tracing_seconds": outcome.tracing_seconds,
                "examples_per_second": attempted / outcome.seconds if outcome.seconds else None,
                "distance": _summarize_distance(outcome, clean if complete else None),
                "queries": _summarize(outcome.measures.get("queries"), outcome.attempted),
            }
        )
    return rows


def _average_passes(outcome, which):
    """Mean forward and backward passes of some examples, None if there are none, or were not counted."""
    if not outcome.attack.counts_passes or not which.any():
        return None
    return float(outcome.forwards[which].mean()), float(outcome.backwards[which].mean())


def _summarize_distance(outcome, clean):
    """Distances to the boundary; "adbd" counts examples that are wrong when clean as 0, as its authors do.

    It is None for an attack that was not given all examples, or that ends within the radius.
    Examples for which no misclassified image was found have none, and are counted as "missing".
    """
    measured = _summarize(outcome.measures.get("distance"), outcome.attempted)
    if measured is None:
        return None
    known = clean is not None and outcome.attack.measures_boundary
    adbd = None
    if known and measured["measured"]:
        wrong = int((~clean).sum())
        adbd = measured["mean"] * measured["measured"] / (measured["measured"] + wrong)
    return {**measured, "adbd": adbd}


def _summarize(values, attempted):
    if values is None:
        return None
    values = values[attempted]
    finite = values[np.isfinite(values)].astype(float)
    some = len(finite) > 0
    return {
        "measured": len(finite),
        "missing": len(values) - len(finite),
        "mean": float(finite.mean()) if some else None,
        "quantiles": np.quantile(finite, [0.05, 0.25, 0.5, 0.75, 0.95]) if some else None,
    }
