"""Evaluations of different examples make one."""

import dataclasses

import numpy as np

from tfrobust.errors import UserError
from tfrobust.evaluation.outcome import Evaluation, Outcome

_SAME = (
    "model",
    "data",
    "suite",
    "suite_hash",
    "threat_model",
    "num_classes",
    "seed",
    "individual",
)
_BY_EXAMPLE = ("attempted", "broken", "rejected", "run", "step", "forwards", "backwards")


def merged(evaluations):
    """One evaluation of all examples of several, sorted by id.

    Use it where processes shared the examples. As noise is keyed by the examples' ids, the result is
    that of one process, but for times, computed passes and traces. Findings are left out, since
    checks look at all examples together: make them again.

    Args:
        evaluations: sequence of `Evaluation`, of one model, suite, threat model and seed, over
            different examples.

    Returns:
        `Evaluation`.

    Raises:
        UserError: there is none, they differ in what they evaluated (it names in what), or an example
            is in two of them.
    """
    evaluations = list(evaluations)
    if not evaluations:
        raise UserError("Give one or more evaluations to merge. Received none.")
    first = evaluations[0]
    for number, other in enumerate(evaluations[1:], 1):
        differences = list(_differences(first, other))
        if differences:
            raise UserError(
                f"Evaluation number {number} is not of the same kind as number 0, and they cannot be "
                f"merged. Differences: {'; '.join(differences)}. Evaluate the shards with the same settings."
            )
    ids = np.concatenate([e.ids for e in evaluations])
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise UserError(
            f"Example {values[np.argmax(counts > 1)]} is in more than one of the evaluations "
            f"({int((counts > 1).sum())} examples are). Give every shard once."
        )
    order = np.argsort(ids)

    def joined(name):
        return np.concatenate([getattr(e, name) for e in evaluations])[order]

    environments = [e.environment for e in evaluations]
    alike = all(environment == environments[0] for environment in environments)
    return dataclasses.replace(
        first,
        ids=joined("ids"),
        labels=joined("labels"),
        predictions=joined("predictions"),
        outcomes=tuple(
            merged_outcomes(parts, order)
            for parts in zip(*(e.outcomes for e in evaluations), strict=True)
        ),
        adversarial=None if first.adversarial is None else joined("adversarial"),
        findings=(),
        environment=environments[0] if alike else {"shards": environments},
        seconds=sum(e.seconds for e in evaluations),
    )


def merged_outcomes(outcomes, order):
    """The `Outcome` of one attack on the examples of several, which are then put in an order.

    Args:
        outcomes: sequence of `Outcome` of the same attack.
        order: int (n,): which of the concatenated examples comes first, second, ...
    """
    first = outcomes[0]

    def joined(arrays):
        return np.concatenate(list(arrays))[order]

    work = np.array([max(1, sum(o.passes)) for o in outcomes], float)
    return Outcome(
        name=first.name,
        attack=first.attack,
        measures={name: joined(o.measures[name] for o in outcomes) for name in first.measures},
        passes=tuple(int(n) for n in np.sum([o.passes for o in outcomes], axis=0)),
        busy=float(np.average([o.busy for o in outcomes], weights=work)),
        traces=max(o.traces for o in outcomes),
        seconds=sum(o.seconds for o in outcomes),
        tracing_seconds=sum(o.tracing_seconds for o in outcomes),
        **{name: joined(getattr(o, name) for o in outcomes) for name in _BY_EXAMPLE},
    )


def _differences(one: Evaluation, other: Evaluation):
    for name in _SAME:
        values = getattr(one, name), getattr(other, name)
        if values[0] != values[1]:
            yield f"{name}: {values[0]!r} and {values[1]!r}"
    attacks = [[(o.name, o.attack) for o in e.outcomes] for e in (one, other)]
    if attacks[0] != attacks[1]:
        yield f"attacks: {attacks[0]!r} and {attacks[1]!r}"
    measures = [[sorted(o.measures) for o in e.outcomes] for e in (one, other)]
    if measures[0] != measures[1]:
        yield f"measures: {measures[0]!r} and {measures[1]!r}"
    kept = [e.adversarial is not None for e in (one, other)]
    if kept[0] != kept[1]:
        yield f"adversarial images kept: {kept[0]} and {kept[1]}"
