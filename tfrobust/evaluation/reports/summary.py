"""What `report.json` says of an evaluation, as plain values."""

import math
from typing import Any

import numpy as np

from tfrobust.errors import UserError
from tfrobust.evaluation.engine.evaluation import Evaluation
from tfrobust.evaluation.reports import checklist
from tfrobust.evaluation.reports.attack_summary import count_right, summarize_attacks
from tfrobust.evaluation.reports.curves import (
    compute_accuracy_by_query,
    compute_accuracy_by_run,
    compute_accuracy_by_step,
)
from tfrobust.evaluation.reports.headline import find_doubts, headline, is_estimate
from tfrobust.evaluation.reports.passes import AUTOATTACK
from tfrobust.spec import as_config

SCHEMA = 1


def summarize_evaluation(evaluation: Evaluation, curve: dict | None = None) -> dict:
    """Makes the content of `report.json`: RobustBench's keys, and our own under "tfrobust".

    RobustBench's accuracies are percentages, written as strings with two decimals; "autoattack_acc" is
    filled by the suite of that meaning only. Ours are numbers in [0, 1], and counts. What is not known
    is None; no value is NaN or infinite.

    Args:
        evaluation: `Evaluation` of at least one example.
        curve: accuracy against the radius: {"epsilon": numbers, "accuracy": numbers in [0, 1]}, or None.

    Returns:
        A dict of JSON values.

    Raises:
        UserError: the curve is malformed.
    """
    _check_curve(curve)
    epsilon = as_config(evaluation.threat_model.epsilon)
    clean, robust = count_right(evaluation.clean), count_right(evaluation.robust)
    attacked = bool(evaluation.outcomes)
    doubts = find_doubts(evaluation.findings)
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
                "nan_counts": evaluation.nan_counts,
                "votes": evaluation.votes,
                "thresholds": evaluation.thresholds,
                "clean": clean,
                "unanswered": count_right(evaluation.unanswered) if attacked else None,
                "robust": robust if attacked else None,
                "certified": _summarize_certified(evaluation),
                "attacks": summarize_attacks(evaluation),
                "curves": {"epsilon": curve, **_make_curves(evaluation)},
                "findings": [
                    _make_finding(f) for f in checklist.rank_findings(evaluation.findings)
                ],
                "checklist": checklist.fill_checklist(evaluation),
                "costs": _sum_costs(evaluation),
                "environment": evaluation.environment,
            },
        }
    )


def _summarize_certified(evaluation):
    """None without certificates; else counts, those that were not attacked, and accuracy by radius."""
    if evaluation.certified is None:
        return None
    radii = np.where(evaluation.clean, np.nan_to_num(evaluation.certified_radii), 0.0)
    some = np.unique(radii[radii > 0.0])
    some = some[np.unique(np.linspace(0, len(some) - 1, 50).astype(int))] if len(some) else some
    return {
        **count_right(evaluation.certified),
        "asked": int(np.isfinite(evaluation.certified_radii).sum()),
        "spared": 0 if evaluation.spared is None else int(evaluation.spared.sum()),
        "method": evaluation.certified_by,
        "seconds": evaluation.certified_seconds,
        "curve": {"epsilon": some, "accuracy": [float(np.mean(radii >= r)) for r in some]},
    }


def plain(value: Any) -> Any:
    """Converts a value to JSON values: NumPy's to Python's, tuples to lists, what is not finite to None.

    Example:
    >>> from tfrobust.evaluation.reports.summary import plain
    >>> plain({"a": np.float32(0.5), "b": (1, float("nan"))})
    {'a': 0.5, 'b': [1, None]}
    """
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


def _make_curves(evaluation):
    outcomes = evaluation.outcomes
    curves = {
        "step": {o.name: compute_accuracy_by_step(o) for o in outcomes},
        "run": {o.name: compute_accuracy_by_run(o, evaluation.num_classes) for o in outcomes},
        "query": {o.name: compute_accuracy_by_query(o) for o in outcomes},
    }
    return {
        kind: {name: curve for name, curve in found.items() if curve is not None}
        for kind, found in curves.items()
    }


def _make_finding(finding):
    told = {
        "id": finding.id,
        "title": finding.title,
        "level": finding.level,
        "value": finding.value,
        "threshold": finding.threshold,
        "text": finding.text,
        "examples": finding.examples,
    }
    return {**told, "advice": finding.advice} if finding.fired and finding.advice else told


def _sum_costs(evaluation):
    """Totals; a forward pass of each example at its clean image and the second looks are left out.

    So are attacks that do not count their passes: they are named under "uncounted".
    """
    outcomes, robust = evaluation.outcomes, int(evaluation.robust.sum())
    uncounted = [o.name for o in outcomes if not o.attack.counts_passes]
    forward, backward = (
        sum(int(getattr(o, n).sum()) for o in outcomes) for n in ("forwards", "backwards")
    )
    computed = [sum(int(o.passes[kind]) for o in outcomes) for kind in (0, 1)]
    needed = forward + backward
    return {
        "needed": (forward, backward),
        "computed": computed,
        "padding": 1 - needed / sum(computed) if sum(computed) else None,
        "uncounted": uncounted,
        "autoattack_equivalents": (
            needed / AUTOATTACK / robust if robust and outcomes and not uncounted else None
        ),
        "streams": max((o.streams for o in outcomes), default=1),
        "traces": sum(o.traces for o in outcomes),
        "tracing_seconds": sum(o.tracing_seconds for o in outcomes),
        "attack_seconds": sum(o.seconds for o in outcomes),
        "seconds": evaluation.seconds,
        "examples_per_second": (
            len(evaluation.ids) / evaluation.seconds if evaluation.seconds else None
        ),
    }
