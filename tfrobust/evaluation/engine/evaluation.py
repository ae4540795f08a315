"""The result of an evaluation: what its attacks found, example by example."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.engine.outcome import Outcome
from tfrobust.threat_models.base import ThreatModel


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
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
    >>> evaluation
    Evaluation(Keras model ... on arrays under custom, Linf(epsilon=0.0): 2 clean, 2 robust of 4 examples)
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

    def __repr__(self) -> str:
        # Arrays of thousands of examples would hide what is asked for.
        certified = "" if self.certified is None else f", {self.certified.sum()} certified"
        return (
            f"Evaluation({self.model} on {self.data} under {self.suite}, {self.threat_model!r}: "
            f"{self.clean.sum()} clean, {self.robust.sum()} robust{certified} of {len(self.ids)} examples)"
        )

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
    >>> from tfrobust.evaluation.engine.evaluation import find_first
    >>> find_first((), 2).tolist()
    [-1, -1]
    """
    first = np.full(count, -1)
    for place, outcome in reversed(list(enumerate(outcomes))):
        first[outcome.broken] = place
    return first
