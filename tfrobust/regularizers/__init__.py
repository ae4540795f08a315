"""Extra terms of the loss."""

from tfrobust.regularizers.base import Regularizer
from tfrobust.regularizers.curvature import Curvature
from tfrobust.regularizers.entropy import MaximalEntropy
from tfrobust.regularizers.gap_labels import GapLabels
from tfrobust.regularizers.gradient_alignment import (
    GradientAlignment,
    gradient_alignment_weight,
)
from tfrobust.regularizers.jacobian import Jacobian
from tfrobust.regularizers.taylor import TaylorTerms

__all__ = [
    "Curvature",
    "GapLabels",
    "GradientAlignment",
    "Jacobian",
    "MaximalEntropy",
    "Regularizer",
    "TaylorTerms",
    "gradient_alignment_weight",
]
