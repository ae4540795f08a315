"""What `report.json` says of an evaluation, as plain values."""

import math

import numpy as np

from tfrobust.errors import UserError
from tfrobust.evaluation import checklist
from tfrobust.evaluation.costs import AUTOATTACK, theoretical_passes
from tfrobust.evaluation.curves import accuracy_by_query, accuracy_by_run, accuracy_by_step
from tfrobust.evaluation.headline import distrusted, headline, is_estimate
from tfrobust.evaluation.interval import binomial_interval

SCHEMA = 1


def summarised(evaluation, curve=None):
    """The content of `report.json`: RobustBench's keys, and our own under "tfrobust".

    RobustBench's accuracies are percentages, written as strings with two decimals; "autoattack_acc" is
    filled by the suite of that meaning only. Ours are numbers in [0, 1], and counts. What is not known
    is None; no value is NaN or infinite.

    Args:
        evaluation: `Evaluation` of at least one example.
        curve: accuracy against the radius: {"epsilon": numbers, "accuracy": numbers in [0, 1]}, or None.

    Returns:
        A dict of JSON values.

    Raises:
        UserError: a curve that is none.
    """
    _check_curve(curve)
    epsilon = evaluation.threat_model.epsilon
    clean, robust = counted(evaluation.clean), counted(evaluation.robust)
    attacked = bool(evaluation.outcomes)
    doubts = distrusted(evaluation.findings)
    return plain(
        {
            "link": None,
            "name": evaluation.model,
            "authors": None,
            "additional_data": None,
            "number_forward_passes": None,
            # RobustBench names the set and means its test split.
            "dataset": evaluation.data.removesuffix(" test"),
            "venue": None,
            "architecture": None,
            "eps": epsilon,
            "clean_acc": f"{100 * clean['accuracy']:.2f}",
            "reported": f"{100 * robust['accuracy']:.2f}" if attacked else None,
            "autoattack_acc": (
                f"{100 * robust['accuracy']:.2f}"
                if attacked and evaluation.suite == "autoattack_standard"
                else None
            ),
            "external": None,
            "footnote": None,
            "unreliable": bool(doubts),
            "tfrobust": {
                "schema": SCHEMA,
                "headline": headline(evaluation),
                "estimate": is_estimate(evaluation),
                "trustworthy": not doubts,
                "model": evaluation.model,
                "data": evaluation.data,
                "norm": type(evaluation.threat_model).__name__,
                "epsilon": epsilon,
                "radius": evaluation.threat_model.radius(),
                "threat_model": repr(evaluation.threat_model),
                "suite": evaluation.suite,
                "suite_hash": evaluation.suite_hash or None,
                "individual": evaluation.individual,
                "num_classes": evaluation.num_classes,
                "seed": evaluation.seed,
                "examples": len(evaluation.ids),
                "clean": clean,
                "robust": robust if attacked else None,
                "attacks": _attacks(evaluation),
                "curves": {"epsilon": curve, **_curves(evaluation)},
                "findings": [_finding(f) for f in checklist.ranked(evaluation.findings)],
                "checklist": checklist.answered(evaluation),
                "costs": _costs(evaluation),
                "environment": evaluation.environment,
            },
        }
    )


def counted(flags):
    """How many are true of how many, with the accuracy and its 95 % interval."""
    right, total = int(np.sum(flags)), len(flags)
    interval = binomial_interval(right, total)
    return {"right": right, "total": total, "accuracy": right / total, "interval": interval}


def plain(value):
    """A value as JSON has it: numpy's kinds as Python's, tuples as lists, None for what is not finite."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _check_curve(curve):
    if curve is None:
        return
    whole = isinstance(curve, dict) and {"epsilon", "accuracy"} <= curve.keys()
    if not whole or len(curve["epsilon"]) != len(curve["accuracy"]) or not len(curve["epsilon"]):
        raise UserError(
            "A curve needs as many radii as accuracies: {'epsilon': [...], 'accuracy': [...]}. "
            f"Received: {curve!r}."
        )


def _attacks(evaluation):
    clean = standing = evaluation.clean
    first, rows = evaluation.first_broken_by, []
    for place, outcome in enumerate(evaluation.outcomes):
        standing = standing & ~outcome.broken
        # An attack that was not given all has no accuracy of its own.
        complete = bool((outcome.attempted == clean).all())
        theory = theoretical_passes(outcome.attack, evaluation.num_classes)
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
                "marginal": counted(clean & ~outcome.broken) if complete else None,
                "cumulative": counted(standing),
                "passes": {
                    "needed": _passes(outcome, outcome.attempted),
                    "needed_where_not_broken": _passes(outcome, stood),
                    "theory_where_not_broken": theory,
                    "computed": outcome.passes,
                },
                "padding": 1 - needed / sum(outcome.passes) if sum(outcome.passes) else None,
                "busy": outcome.busy,
                "traces": outcome.traces,
                "seconds": outcome.seconds,
                "tracing_seconds": outcome.tracing_seconds,
                "examples_per_second": attempted / outcome.seconds if outcome.seconds else None,
                "distance": _distance(outcome, clean if complete else None),
                "queries": _quantiles(outcome.measures.get("queries"), outcome.attempted),
            }
        )
    return rows


def _passes(outcome, which):
    """Mean forward and backward passes of some examples, None if there are none."""
    if not which.any():
        return None
    return float(outcome.forwards[which].mean()), float(outcome.backwards[which].mean())


def _distance(outcome, clean):
    """Distances to the boundary; "adbd" counts examples that are wrong when clean as 0, as its authors do.

    Examples for which no misclassified image was found have none, and are counted as "missing".
    """
    measured = _quantiles(outcome.measures.get("distance"), outcome.attempted)
    if measured is None:
        return None
    # A search that ends within the radius does not look for the boundary.
    known = clean is not None and not getattr(outcome.attack, "stop_at_success", False)
    adbd = None
    if known and measured["measured"]:
        wrong = int((~clean).sum())
        adbd = measured["mean"] * measured["measured"] / (measured["measured"] + wrong)
    return {**measured, "adbd": adbd}


def _quantiles(values, attempted):
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


def _curves(evaluation):
    outcomes = {outcome.name: outcome for outcome in evaluation.outcomes}
    queries = {name: accuracy_by_query(outcome) for name, outcome in outcomes.items()}
    return {
        "step": {name: accuracy_by_step(outcome) for name, outcome in outcomes.items()},
        "run": {
            name: accuracy_by_run(outcome, evaluation.num_classes)
            for name, outcome in outcomes.items()
        },
        "query": {name: curve for name, curve in queries.items() if curve is not None},
    }


def _finding(finding):
    return {
        "id": finding.id,
        "title": finding.title,
        "level": finding.level,
        "value": finding.value,
        "threshold": finding.threshold,
        "text": finding.text,
        "examples": finding.examples,
    }


def _costs(evaluation):
    """Totals; a forward pass of each example at its clean image and the second looks are left out."""
    outcomes, robust = evaluation.outcomes, int(evaluation.robust.sum())
    forward, backward = (
        sum(int(getattr(o, n).sum()) for o in outcomes) for n in ("forwards", "backwards")
    )
    computed = [sum(int(o.passes[kind]) for o in outcomes) for kind in (0, 1)]
    needed = forward + backward
    return {
        "needed": (forward, backward),
        "computed": computed,
        "padding": 1 - needed / sum(computed) if sum(computed) else None,
        "autoattack_equivalents": needed / AUTOATTACK / robust if robust and outcomes else None,
        "traces": sum(o.traces for o in outcomes),
        "tracing_seconds": sum(o.tracing_seconds for o in outcomes),
        "attack_seconds": sum(o.seconds for o in outcomes),
        "seconds": evaluation.seconds,
        "examples_per_second": (
            len(evaluation.ids) / evaluation.seconds if evaluation.seconds else None
        ),
    }
