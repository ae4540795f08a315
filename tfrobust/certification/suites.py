"""Certificates by name."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence

import keras

from tfrobust.certification.certificate import Certificate
from tfrobust.certification.enclosures import CROWN, CROWNIBP, IBP
from tfrobust.certification.smoothing import Smoothing
from tfrobust.errors import UserError
from tfrobust.threat_models.base import ThreatModel

Named = tuple[str, Certificate]

SUITES: dict[str, tuple[str, Callable[[ThreatModel], list[Named]]]] = {
    "bounds": (
        "Linf: IBP, CROWN-IBP and CROWN, each for what the cheaper ones before it did not prove",
        lambda t: [("ibp", IBP(t)), ("crown_ibp", CROWNIBP(t)), ("crown", CROWN(t))],
    ),
    "ibp": ("Linf: interval bounds", lambda t: [("ibp", IBP(t))]),
    "crown_ibp": ("Linf: linear bounds over intervals", lambda t: [("crown_ibp", CROWNIBP(t))]),
    "crown": ("Linf: linear bounds everywhere", lambda t: [("crown", CROWN(t))]),
    "radii": (
        "Linf: as bounds, with the provable radius of each example up to twice epsilon, to 1/32 epsilon",
        lambda t: [("crown", CROWN(t, bisections=6))],
    ),
    "smoothing": (
        "L2: randomised smoothing with sigma = epsilon, n = 10,000, alpha = 0.001",
        lambda t: [("smoothing", Smoothing(t, sigma=max(t.radius(), 1e-6)))],
    ),
}


@dataclasses.dataclass(frozen=True)
class CertificateSuite:
    """Certificates to be tried one after the other, each on what is not certified yet.

    Args:
        name: of the suite; "custom" for one's own.
        certificates: sequence of (name, `Certificate`), of one threat model.

    Raises:
        UserError: there are none, names repeat, threat models differ, or a certificate of the smoothed
            classifier stands beside another one.
    """

    name: str
    certificates: tuple[Named, ...]

    def __post_init__(self):
        names = [name for name, _ in self.certificates]
        if not names or len(set(names)) < len(names):
            raise UserError(f"A suite needs certificates of different names. Received: {names}.")
        if len({repr(c.threat_model) for _, c in self.certificates}) > 1:
            raise UserError(
                f"Certificates of a suite need one threat model. Received: {self.certificates}."
            )
        if not self.threat_model.radius() > 0.0:
            raise UserError(
                f"A certificate needs a radius above 0. Received: {self.threat_model!r}. For clean accuracy "
                "evaluate the classifier."
            )
        if len(names) > 1 and not all(c.is_certain for _, c in self.certificates):
            raise UserError(
                "Smoothing certifies the smoothed classifier, which is another one than its network: give it "
                f"alone. Received: {names}."
            )

    @property
    def threat_model(self) -> ThreatModel:
        """That of all certificates."""
        return self.certificates[0][1].threat_model

    @property
    def rules(self) -> str:
        """By which rules its certificates prove, with their versions, such as "bounds 1"."""
        return ", ".join(dict.fromkeys(one.rules for _, one in self.certificates))

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that tell its settings from others."""
        configs = [
            [name, keras.saving.serialize_keras_object(certificate)]
            for name, certificate in self.certificates
        ]
        text = json.dumps(configs, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_certificates(
    suite: str | Certificate | Sequence[Named], threat_model: ThreatModel | None
) -> CertificateSuite:
    """The `CertificateSuite` of a name, a `Certificate` or a sequence of (name, `Certificate`).

    Raises:
        UserError: there is no such suite, or no threat model for a name.

    Example:
    >>> from tfrobust.certification.suites import as_certificates
    >>> [name for name, _ in as_certificates("bounds", tfrobust.Linf("8/255")).certificates]
    ['ibp', 'crown_ibp', 'crown']
    """
    if isinstance(suite, Certificate):
        return CertificateSuite("custom", ((type(suite).__name__.lower(), suite),))
    if not isinstance(suite, str):
        return CertificateSuite("custom", tuple((name, one) for name, one in suite))
    if suite not in SUITES:
        raise UserError(
            f"There is no suite of certificates {suite!r}. There are: {', '.join(SUITES)}."
        )
    if threat_model is None:
        raise UserError(
            f"The suite {suite!r} needs a threat model, such as tfrobust.Linf('8/255'). Received: None."
        )
    return CertificateSuite(suite, tuple(SUITES[suite][1](threat_model)))
