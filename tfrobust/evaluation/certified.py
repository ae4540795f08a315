"""Examples that are proven to be robust, which no attack can break: the other side of an evaluation."""

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from tfrobust.bounds.rules import VERSION
from tfrobust.errors import UserError
from tfrobust.evaluation.examples import Examples
from tfrobust.evaluation.fingerprint import hash_images
from tfrobust.runs.reports.certification_report import read_certification
from tfrobust.runs.reports.identity import Identity
from tfrobust.threat_models.base import ThreatModel


class Proofs(Protocol):
    """What an evaluation asks of proofs; a `certification.Certification` has it.

    Attributes:
        ids, labels: int (n,), of the examples.
        images: text (n,), their hashes by `fingerprint.hash_images`.
        clean: boolean (n,): right at the clean image.
        radii: float64 (n,): proven radii, 0 where nothing is proven.
        norm: "Linf" or "L2", of the radii.
        identity: of the classifier.
        is_certain: whether they are proofs of the classifier itself.
        method: names of the certificates.
        seconds: wall time that they took.
    """

    @property
    def ids(self) -> np.ndarray: ...

    @property
    def labels(self) -> np.ndarray: ...

    @property
    def images(self) -> np.ndarray: ...

    @property
    def clean(self) -> np.ndarray: ...

    @property
    def radii(self) -> np.ndarray: ...

    @property
    def norm(self) -> str: ...

    @property
    def identity(self) -> Identity: ...

    @property
    def is_certain(self) -> bool: ...

    @property
    def method(self) -> str: ...

    @property
    def seconds(self) -> float: ...


class LowerBound:
    """What certificates say of the examples of one evaluation.

    Args:
        certified: a `Certification`, the path of its folder, or None for no certificates.
        skip: whether certified examples are not attacked.
        threat_model: that of the attacks.
        identify: function that gives the identity of the classifier that is attacked.

    Raises:
        UserError: the folder holds no certification; it is of another classifier, a smoothed one, or in
            another norm; or there is nothing to skip by.
    """

    def __init__(
        self,
        certified: Any,
        skip: bool,
        threat_model: ThreatModel,
        identify: Callable[[], Identity],
    ) -> None:
        if certified is None and skip:
            raise UserError(
                "`skip_certified` needs certificates: give certified=FOLDER (--certified=FOLDER)."
            )
        self._skip, self._proofs = skip, None if certified is None else _as_proofs(certified)
        self._radius = threat_model.radius()
        if self._proofs is not None:
            _check(self._proofs, threat_model, identify())

    def check_examples(self, examples: Examples) -> None:
        """Raises `UserError` if proofs for these ids are of other images or labels.

        Args:
            examples: those that are attacked, or the first of them.
        """
        if self._proofs is None:
            return
        _, ours, theirs = np.intersect1d(examples.ids, self._proofs.ids, return_indices=True)
        differs = np.asarray(examples.y)[ours] != self._proofs.labels[theirs]
        differs |= hash_images(examples.x[ours]) != self._proofs.images[theirs]
        if differs.any():
            raise UserError(
                f"The certificates are of other images, or of other labels: so is example "
                f"{examples.ids[ours[np.argmax(differs)]]}, and {int(differs.sum())} of {len(ours)} in all. "
                "Certify the data that are attacked."
            )

    @property
    def spared(self) -> np.ndarray:
        """Ids of the examples that are not to be attacked, int (m,)."""
        if self._proofs is None or not self._skip:
            return np.zeros(0, np.int64)
        return self._proofs.ids[self.find_certified(self._proofs.ids)]

    def find_certified(self, ids: np.ndarray) -> np.ndarray:
        """Which examples of these ids are certified at the radius of the attacks, boolean (n,)."""
        if self._proofs is None:
            return np.zeros(len(ids), bool)
        radii = np.where(self._proofs.clean, self._proofs.radii, 0.0)
        return np.isin(ids, self._proofs.ids[(radii >= self._radius) & (radii > 0.0)])

    def find_fields(self, ids: np.ndarray) -> dict[str, Any]:
        """The fields of an `Evaluation` on examples of these ids; none without certificates."""
        if self._proofs is None:
            return {}
        return {
            "certified_radii": find_radii(self._proofs, ids),
            "certified_by": self._proofs.method,
            "certified_seconds": self._proofs.seconds,
            "spared": np.isin(ids, self.spared) if self._skip else None,
        }


def _as_proofs(certified: Any) -> Proofs:
    """Proofs from the folder of a certification, or as they are.

    Args:
        certified: a `Certification`, or the path of its folder.

    Raises:
        UserError: the folder holds none, they are of a smoothed classifier, which is another one, or by rules
            of an earlier version.
    """
    is_folder = isinstance(certified, (str, os.PathLike))
    proofs = read_certification(certified) if is_folder else certified
    if not proofs.is_certain:
        raise UserError(
            "Randomised smoothing certifies the smoothed classifier, and attacks are run on the classifier "
            "itself: the two bounds are not of one model. Certify by bounds (suite='bounds')."
        )
    if is_folder:
        _check_rules(certified, proofs.rules)
    return proofs


def _check_rules(folder, rules):
    """Refuses bounds by earlier rules, which a later version may have found to be wrong."""
    now = f"bounds {VERSION}"
    if not rules or any(rule.startswith("bounds ") and rule != now for rule in rules.split(", ")):
        raise UserError(
            f"The certificates in {folder} are by the rules {rules or 'of an earlier version'!r}, which are "
            f"{now!r} now. Certify again, into a new folder."
        )


def _check(proofs: Proofs, threat_model: ThreatModel, identity: Identity) -> None:
    """Raises `UserError` unless the proofs are of this classifier and of this norm."""
    norm = type(threat_model).__name__
    if proofs.norm != norm:
        raise UserError(
            f"The certificates are for {proofs.norm}, the attacks for {norm}. Certify in the threat model "
            "that is attacked."
        )
    if not proofs.identity.is_same(identity):
        raise UserError(
            "The certificates are of another classifier than the one that is evaluated: "
            f"{proofs.identity} there, {identity} here. Certify this one: tfrobust certify --model=..."
        )


def find_radii(proofs: Proofs, ids: np.ndarray) -> np.ndarray:
    """The proven radius of each example, float64 (n,); NaN for those that were not certified at all.

    Raises:
        UserError: none of the examples was.

    Example:
    >>> from tfrobust.evaluation.certified import find_radii
    >>> from tfrobust.runs.reports.certification_report import CertificationReport
    >>> ids, labels, radii = np.array([3, 5, 8]), np.array([0, 1, 1]), np.array([0.1, 0.0, 0.0])
    >>> proofs = CertificationReport({}, "", ids, labels, np.array([0, 1, 0]), radii, ids)
    >>> find_radii(proofs, np.array([5, 3, 4])).tolist()
    [0.0, 0.1, nan]
    """
    known = dict(zip(proofs.ids.tolist(), np.where(proofs.clean, proofs.radii, 0.0), strict=True))
    found = np.array([known.get(int(i), np.nan) for i in ids], np.float64)
    if np.isnan(found).all():
        raise UserError(
            f"None of the {len(ids)} examples is among the {len(known)} that were certified. Certify the "
            "same part of the same data."
        )
    return found
