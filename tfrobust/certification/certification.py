"""What was proven of a classifier, example by example."""

import dataclasses

import numpy as np

from tfrobust.certification.certificate import Certificate
from tfrobust.runs.reports.identity import Identity
from tfrobust.threat_models.base import ThreatModel


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Proof:
    """What one certificate proved of the n examples of a certification.

    Args:
        name: of the certificate in its suite, such as "crown".
        certificate: the `Certificate`.
        attempted: boolean (n,): which examples it was given.
        predictions: int (n,): of the classifier of which it proves something; -1 where that abstains, and
            where it was not asked.
        radii: float64 (n,): proven radii, 0 where nothing is proven.
        margins: float64 (n,): how far the proof was from failing, NaN where not known.
        passes: int (n,): forward passes, or passes of bounds, that the example took.
        seconds: wall time, tracing included.
    """

    name: str
    certificate: Certificate
    attempted: np.ndarray
    predictions: np.ndarray
    radii: np.ndarray
    margins: np.ndarray
    passes: np.ndarray
    seconds: float

    def __repr__(self) -> str:
        proven = f"{(self.radii > 0.0).sum()} of {self.attempted.sum()} examples with a radius"
        return f"Proof({self.name}, {self.certificate!r}: {proven})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Certification:
    """The result of a suite of certificates on n examples: a lower bound of robust accuracy.

    Args:
        model: what was certified, in words.
        data: name of the data set or file.
        suite: name of the suite.
        threat_model: the `ThreatModel`.
        num_classes: k.
        seed: of the noise.
        ids: int (n,): the examples' places in their source.
        labels: int (n,).
        images: text (n,): hashes of the images, see `evaluation.fingerprint.hash_images`.
        proofs: a `Proof` for each certificate, in order.
        identity: of the classifier, the same as in an evaluation's fingerprint.
        environment: versions, platform, devices, commit.
        seconds: wall time of all.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> data = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 1, 1])
    >>> found = tfrobust.certify(model, data, "ibp", tfrobust.Linf(1.0))
    >>> found.certified.tolist(), found.radii.tolist()
    ([False, False, False, False], [0.0, 0.0, 0.0, 0.0])
    """

    model: str
    data: str
    suite: str
    threat_model: ThreatModel
    num_classes: int
    seed: int
    ids: np.ndarray
    labels: np.ndarray
    images: np.ndarray
    proofs: tuple[Proof, ...]
    identity: Identity = Identity("")
    environment: dict = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    def __repr__(self) -> str:
        # Arrays of thousands of examples would hide what is asked for.
        return (
            f"Certification({self.model} on {self.data} under {self.suite}, {self.threat_model!r}: "
            f"{self.clean.sum()} clean, {self.certified.sum()} certified of {len(self.ids)} examples)"
        )

    @property
    def predictions(self) -> np.ndarray:
        """Int (n,): of the classifier that the certificates are about; -1 where it abstains."""
        return self.proofs[0].predictions

    @property
    def clean(self) -> np.ndarray:
        """Boolean (n,): right at the clean image."""
        return self.predictions == self.labels

    @property
    def radii(self) -> np.ndarray:
        """Float64 (n,): the largest radius that any certificate proves, 0 where none does."""
        return np.max([proof.radii for proof in self.proofs], axis=0)

    @property
    def certified(self) -> np.ndarray:
        """Boolean (n,): right, and proven to stay so within epsilon."""
        return self.clean & (self.radii >= self.threat_model.radius()) & (self.radii > 0.0)

    @property
    def norm(self) -> str:
        """Of the radii: "Linf" or "L2"."""
        return type(self.threat_model).__name__

    @property
    def method(self) -> str:
        """Names of the certificates, such as "IBP, CROWNIBP, CROWN"."""
        return ", ".join(dict.fromkeys(type(p.certificate).__name__ for p in self.proofs))

    @property
    def reach(self) -> float:
        """The largest radius that all certificates looked for."""
        return min(proof.certificate.reach for proof in self.proofs)

    @property
    def is_certain(self) -> bool:
        """Whether no attack on the classifier can break a certified example: not so for a smoothed one."""
        return all(proof.certificate.is_certain for proof in self.proofs)

    def compute_accuracy(self, radius: float) -> float:
        """Certified accuracy at another radius, in [0, 1].

        Radii are known as far as the certificates looked for them: with `bisections`, or by smoothing.
        """
        return float(np.mean(self.clean & (self.radii >= radius)))
