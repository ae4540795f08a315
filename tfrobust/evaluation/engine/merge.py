"""One outcome out of several on different examples."""

from collections.abc import Sequence

import numpy as np

from tfrobust.evaluation.engine.outcome import Outcome

_BY_EXAMPLE = (
    "attempted",
    "broken",
    "rejected",
    "outvoted",
    "unanswered",
    "run",
    "step",
    "forwards",
    "backwards",
)


def merge_outcomes(outcomes: Sequence[Outcome], order: np.ndarray) -> Outcome:
    """Joins what one attack did to the examples of several shards, and puts them in an order.

    Args:
        outcomes: sequence of `Outcome` of the same attack.
        order: int (n,): which of the concatenated examples comes first, second, ...

    Returns:
        `Outcome` on n examples.
    """
    first = outcomes[0]

    def join(arrays):
        return np.concatenate(list(arrays))[order]

    work = np.array([max(1, sum(o.passes)) for o in outcomes], float)
    return Outcome(
        name=first.name,
        attack=first.attack,
        measures={name: join(o.measures[name] for o in outcomes) for name in first.measures},
        passes=tuple(int(n) for n in np.sum([o.passes for o in outcomes], axis=0)),
        busy=float(np.average([o.busy for o in outcomes], weights=work)),
        streams=max(o.streams for o in outcomes),
        slots=max(o.slots for o in outcomes),
        traces=max(o.traces for o in outcomes),
        seconds=sum(o.seconds for o in outcomes),
        tracing_seconds=sum(o.tracing_seconds for o in outcomes),
        **{name: join(getattr(o, name) for o in outcomes) for name in _BY_EXAMPLE},
    )
