"""Of which classifier a report, a certificate or an export is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

# Of the largest number: more than devices differ by. bfloat16 in place of float32 moves the logits of a
# narrow ResNet by 0.012; pixels that are all 0.01 darker move them by 0.04 to 0.2.
_SLACK = 0.03


class Identity(NamedTuple):
    """What tells a classifier from others: its weights, and what it computes of some noise.

    Weights alone would not do: another normalisation in front of them, or another activation, is another
    classifier.

    Args:
        weights: hexadecimal digits, a hash; "" for a classifier that shows none.
        image_shape: (h, w, c) of the noise; () where `logits` are not known.
        logits: a sum of the logits for each image of noise; () for a classifier that answers at random.

    Example:
        >>> from tfrobust.runs.reports.identity import Identity
        >>> one = Identity("a3f0", (8, 8, 1), (3.0, -1.0))
        >>> [one.is_same(Identity("a3f0", (8, 8, 1), (x, -1.0))) for x in (3.001, 2.0)]
        [True, False]
        >>> one.is_same(Identity("a3f0", (9, 9, 1), (7.0, 7.0)))
        True
    """

    weights: str
    image_shape: tuple[int, ...] = ()
    logits: tuple[float, ...] = ()

    def is_same(self, other: "Identity") -> bool:
        """Whether both are of one classifier, up to rounding, as far as both know."""
        if self.weights != other.weights:
            return False
        if not self.logits or not other.logits or self.image_shape != other.image_shape:
            return True
        one, two = np.array(self.logits), np.array(other.logits)
        return bool(np.allclose(one, two, rtol=0.0, atol=_SLACK * np.abs(one).max()))

    def to_json(self) -> dict[str, Any]:
        """As a dict of JSON values."""
        return {
            "weights": self.weights,
            "image_shape": list(self.image_shape),
            "logits": list(self.logits),
        }

    @staticmethod
    def read(value: Any) -> "Identity":
        """The identity that `to_json` wrote; of earlier versions the hash of the weights alone."""
        if not isinstance(value, dict):
            return Identity("" if value is None else str(value))
        return Identity(
            str(value.get("weights", "")),
            tuple(value.get("image_shape", ())),
            tuple(value.get("logits", ())),
        )

    @staticmethod
    def find(content: Mapping[str, Any]) -> "Identity | None":
        """That of an export or of a certification by the content of its file; None if it does not say.

        Earlier versions noted the hash of the weights alone.
        """
        names = [name for name in ("identity", "weights", "model_hash") if name in content]
        return Identity.read(content[names[0]]) if names else None

    def to_key(self) -> list:
        """JSON values that are equal for classifiers that are the same, but for rare cases of rounding."""
        largest = max(map(abs, self.logits), default=0.0) or 1.0
        return [self.weights, [round(number / largest, 2) + 0.0 for number in self.logits]]

    def __str__(self) -> str:
        told = ", ".join(f"{number:.4g}" for number in self.logits)
        return f"weights {self.weights or 'unknown'}" + (
            f", logits of noise {told}" if told else ""
        )
