"""Of which classifier a report, a certificate or an export is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tfrobust.errors import UserError

# Of the largest number: more than devices and precisions differ by, and less than a normalisation that is
# slightly another one makes.
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
        if len(self.logits) != len(other.logits):
            return False
        both = np.array([self.logits, other.logits])
        return bool(np.abs(both[0] - both[1]).max() <= _SLACK * np.abs(both).max())

    def to_json(self) -> dict[str, Any]:
        """As a dict of JSON values."""
        return {
            "weights": self.weights,
            "image_shape": list(self.image_shape),
            "logits": list(self.logits),
        }

    @staticmethod
    def read(value: Any) -> "Identity":
        """The identity that `to_json` wrote; of earlier versions the hash of the weights alone.

        Raises:
            UserError: it is neither.
        """
        if isinstance(value, str) or value is None:
            return Identity(value or "")
        try:
            identity = Identity(
                str(value["weights"]),
                tuple(int(side) for side in value["image_shape"]),
                tuple(float(number) for number in value["logits"]),
            )
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise UserError(
                "What a report notes of its classifier was changed by hand: it must have `weights`, "
                f"`image_shape` and `logits`. Received: {str(value)[:80]}. Make the report again."
            ) from error
        return identity

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
