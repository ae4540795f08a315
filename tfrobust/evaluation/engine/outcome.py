"""What an attack found in an evaluation, example by example."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfrobust.attacks.base import Attack


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Outcome:
    """What one attack did to the n examples of an evaluation. Everything broken was checked again.

    Args:
        name: of the attack in its suite, such as "apgd-ce".
        attack: the `Attack`.
        attempted: boolean (n,): which examples it was given.
        broken: boolean (n,): which of them it broke, by a fresh float32 pass in inference mode, inside
            ball and box.
        rejected: boolean (n,): examples whose result failed that check, and count as not broken.
        outvoted: boolean (n,): examples whose result more than half of the passes of a model with
            noise classify right, and count as not broken.
        unanswered: boolean (n,): examples that it did not break, for which the model gives no finite
            logits at an image inside ball and box.
        run: int (n,): which run (restart, target) broke it, from 0; -1 where none did.
        step: int (n,): after how many steps of that run; -1 where none did.
        forwards, backwards: int (n,): passes that the example needed.
        measures: name -> float (n,), NaN where not measured: "distance", "queries".
        passes: (forward, backward): rows that were computed, empty and finished ones included.
        busy: share of the slots' steps that worked on an unfinished run, in [0, 1].
        traces: how often the search was traced: once, and again for fewer rows where that paid.
        streams: threads that shared the rows, see `Evaluator`.
        slots: rows of all of them together, at the beginning; 0 where older versions did not say.
        seconds: wall time; for `tracing_seconds` of it the attack waited for its traces, which may have begun
            beside the attacks before it.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> data = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), steps=1)
    >>> (outcome,) = tfrobust.evaluate(model, data, attack, checks="none").outcomes
    >>> outcome.name, int(outcome.attempted.sum())
    ('pgd', 2)
    """

    name: str
    attack: Attack
    attempted: np.ndarray
    broken: np.ndarray
    rejected: np.ndarray
    run: np.ndarray
    step: np.ndarray
    forwards: np.ndarray
    backwards: np.ndarray
    measures: dict
    passes: tuple
    busy: float
    traces: int
    seconds: float
    tracing_seconds: float
    outvoted: np.ndarray | None = None
    unanswered: np.ndarray | None = None
    streams: int = 1
    slots: int = 0

    def __repr__(self) -> str:
        found = f"{self.broken.sum()} of {self.attempted.sum()} examples broken"
        return f"Outcome({self.name}, {self.attack!r}: {found})"

    @property
    def held(self) -> np.ndarray:
        """Boolean (n,): whose adversarial images are kept: broken or outvoted."""
        return self.broken | self.outvoted

    def __post_init__(self):
        for name in ("outvoted", "unanswered"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros_like(self.broken))


def make_outcome(
    name: str,
    attack: Attack,
    given: np.ndarray,
    found: Mapping[str, np.ndarray],
    verdicts: Mapping[str, np.ndarray],
    **costs: Any,
) -> Outcome:
    """The outcome on n examples of an attack that was given m of them.

    Args:
        name, attack: of the suite.
        given: boolean (n,): to which examples.
        found: what a `SlotSchedule` returned, by the m examples.
        verdicts: boolean (m,) each, see `gate.judge_claims`.
        **costs: fields of `Outcome`: traces, seconds, ...
    """
    broken, counts = verdicts["broken"], found["counts"]

    def spread(values, rest):
        whole = np.full(len(given), rest, values.dtype)
        whole[given] = values
        return whole

    return Outcome(
        name=name,
        attack=attack,
        attempted=given.copy(),
        **{name: spread(flags, False) for name, flags in verdicts.items()},
        run=spread(np.where(broken, found["broken_run"], -1), -1),
        step=spread(np.where(broken, found["step"], -1), -1),
        forwards=spread(found["forwards"], 0),
        backwards=spread(found["backwards"], 0),
        measures={
            # An infinite distance was not found.
            name: spread(np.where(np.isfinite(found[name]), found[name], np.nan), np.nan)
            for name in attack.measures
        },
        passes=(int(counts[2]), int(counts[3])),
        busy=float(counts[0] / counts[1]) if counts[1] else 1.0,
        **costs,
    )
