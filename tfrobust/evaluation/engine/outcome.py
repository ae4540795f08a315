"""What an evaluation found, example by example."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrobust.attacks.base import Attack
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.threat_models.base import ThreatModel


@dataclasses.dataclass(frozen=True, eq=False)
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


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of a suite of attacks on n examples.

    Args:
        model: what was evaluated, in words.
        data: name of the data set or file.
        suite: name of the suite; "custom" for a list of attacks.
        threat_model: the `ThreatModel`, with epsilon as the user wrote it.
        num_classes: k.
        seed: whole number in [0, 2**62).
        individual: every attack got all examples that are right at the clean image; otherwise those
            that the attacks before it did not break.
        ids: int (n,): the examples' places in their source.
        labels: int (n,).
        predictions: int (n,): at the clean images.
        outcomes: an `Outcome` for each attack, in order.
        adversarial: images (m, h, w, c) by the first attack that broke each example; where none did, the
            first that was outvoted, or the clean one. They are of all n examples, or of the first m where
            the examples were evaluated in several chunks. None unless kept.
        suite_hash: hash of all settings of the suite; "" where it has none.
        findings: of the checks.
        environment: versions, platform, devices, commit.
        seconds: wall time of the whole evaluation.
        nan_counts: "broken" or "robust": what examples count as for which the model gives no finite
            logits at an image of the threat model.
        thresholds: settings of checks that are not the default, by the check's id.
        certified_radii: float64 (n,): radii for which a certificate proves robustness, 0 where it proves
            none, NaN where none was asked; None without certificates.
        certified_by: names of the certificates; None without.
        certified_seconds: wall time that the certificates took; None without.
        spared: boolean (n,): certified examples that were not attacked; None where all were.
        votes: passes in which images were judged; with several, for models with noise, an image counts as
            misclassified if at least half of them misclassify it.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> data = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> attack = tfrobust.PGD(tfrobust.Linf(0.0), steps=1)
    >>> evaluation = tfrobust.evaluate(model, data, attack, checks="none")
    >>> (evaluation.robust == evaluation.clean).all().item(), evaluation.first_broken_by.tolist()
    (True, [-1, -1, -1, -1])
    """

    model: str
    data: str
    suite: str
    threat_model: ThreatModel
    num_classes: int
    seed: int
    individual: bool
    ids: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    outcomes: tuple
    adversarial: np.ndarray | None = None
    suite_hash: str = ""
    findings: tuple[Finding, ...] = ()
    environment: dict = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    nan_counts: str = "broken"
    votes: int = 1
    thresholds: dict = dataclasses.field(default_factory=dict)
    certified_radii: np.ndarray | None = None
    certified_by: str | None = None
    certified_seconds: float | None = None
    spared: np.ndarray | None = None

    @property
    def certified(self) -> np.ndarray | None:
        """Boolean (n,): proven to be robust within epsilon; None where nothing was certified."""
        if self.certified_radii is None:
            return None
        radii = np.nan_to_num(self.certified_radii)
        return self.clean & (radii >= self.threat_model.radius()) & (radii > 0.0)

    @property
    def clean(self) -> np.ndarray:
        """Boolean (n,): right at the clean image."""
        return self.predictions == self.labels

    @property
    def robust(self) -> np.ndarray:
        """Boolean (n,): right at the clean image, and no attack broke it."""
        return self.standing & ~self.unanswered if self.nan_counts == "broken" else self.standing

    @property
    def standing(self) -> np.ndarray:
        """Boolean (n,): right at the clean image, and no attack found a misclassified image."""
        standing = self.clean
        for outcome in self.outcomes:
            standing = standing & ~outcome.broken
        return standing

    @property
    def unanswered(self) -> np.ndarray:
        """Boolean (n,): of those that no attack broke, with an image whose logits are not finite."""
        found = [outcome.unanswered for outcome in self.outcomes]
        return self.standing & np.any([np.zeros(len(self.ids), bool), *found], axis=0)

    @property
    def first_broken_by(self) -> np.ndarray:
        """Int (n,): which attack in the order of the suite broke it first; -1 where none did."""
        return find_first(self.outcomes, len(self.ids))


def find_first(outcomes: Sequence[Outcome], count: int) -> np.ndarray:
    """Which of the attacks broke each of `count` examples first, int (count,); -1 where none did.

    Example:
    >>> from tfrobust.evaluation.engine.outcome import find_first
    >>> find_first((), 2).tolist()
    [-1, -1]
    """
    first = np.full(count, -1)
    for place, outcome in reversed(list(enumerate(outcomes))):
        first[outcome.broken] = place
    return first
