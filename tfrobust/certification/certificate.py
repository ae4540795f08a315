"""What a proof of robustness is asked, and what it answers."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from tfrobust.evaluation.subject import Subject
from tfrobust.spec import Spec
from tfrobust.threat_models.base import ThreatModel


class Proven(NamedTuple):
    """What was proven of some examples.

    Attributes:
        predictions: int (b,), of the classifier of which it is proven; -1 where it abstains.
        radii: float64 (b,): no image within this distance is classified as another class than the
            label. 0 where nothing is proven, or where the prediction is wrong.
        margins: float64 (b,): how far the proof was from failing, in its own unit; NaN where it has none.
        passes: int (b,): forward passes of the classifier, boxes and linear bounds through it; a linear
            bound goes back through the layers that lead to what it bounds.
    """

    predictions: np.ndarray
    radii: np.ndarray
    margins: np.ndarray
    passes: np.ndarray


class Prover(Protocol):
    """A `Certificate` for one classifier.

    Attributes:
        rows: how many examples it is given at once.
    """

    rows: int

    def __call__(
        self, x: np.ndarray, y: np.ndarray, ids: np.ndarray, look: Callable[[], None]
    ) -> Proven:
        """Proves what it can.

        Args:
            x: images, float32 (b, h, w, c) in [0, 1], b at most `rows`.
            y: labels, int (b,).
            ids: int (b,); noise is keyed by them.
            look: called between two parts of the work; may raise.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Certificate(Spec):
    """Base of all proofs: a lower bound of robust accuracy, where attacks give an upper one.

    Args:
        threat_model: `ThreatModel`; the radius for which robustness is asked.

    Example:
    >>> tfrobust.certification.CROWN(tfrobust.Linf("8/255"))
    CROWN(threat_model=Linf(epsilon='8/255'), bisections=0)
    """

    threat_model: ThreatModel

    # Whether what is proven is of the classifier itself, with certainty, so that no attack can break it.
    is_certain: ClassVar[bool] = True
    # By which rules it proves, and their version: proofs by others are not gone on with.
    rules: ClassVar[str] = "1"

    @property
    def reach(self) -> float:
        """The largest radius that it looks for, beyond which a radius of 0 says nothing.

        Example:
        >>> tfrobust.certification.CROWN(tfrobust.Linf(0.1), bisections=4).reach
        0.2
        """
        return self.threat_model.radius()

    def prepare(self, subject: Subject, image_shape: tuple, num_classes: int, seed: int) -> Prover:
        """A `Prover` for one classifier.

        Args:
            subject: `evaluation.Subject`.
            image_shape: (h, w, c).
            num_classes: k.
            seed: of the noise, where there is some.

        Raises:
            UserError: the classifier is of a kind of which it cannot prove anything.
        """
        raise NotImplementedError(f"{type(self).__name__} proves nothing.")
