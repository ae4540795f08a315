"""Extra terms of the loss."""

from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.entropy import MaximalEntropy

__all__ = ["MaximalEntropy", "Regularizer"]
