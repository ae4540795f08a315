"""Extra terms of the loss."""

from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.entropy import MaximalEntropy
from tfrobust.regularizers.gap_labels import GapLabels
from tfrobust.regularizers.taylor import TaylorTerms

__all__ = ["GapLabels", "MaximalEntropy", "Regularizer", "TaylorTerms"]
