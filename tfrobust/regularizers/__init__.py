"""Extra terms of the loss."""

from tfrobust.regularizers.base import Regularizer as Regularizer
from tfrobust.regularizers.curvature import Curvature as Curvature
from tfrobust.regularizers.entropy import MaximalEntropy as MaximalEntropy
from tfrobust.regularizers.gap_labels import GapLabels as GapLabels
from tfrobust.regularizers.gradient_alignment import GradientAlignment as GradientAlignment
from tfrobust.regularizers.gradient_alignment import (
    gradient_alignment_weight as gradient_alignment_weight,
)
from tfrobust.regularizers.jacobian import Jacobian as Jacobian
from tfrobust.regularizers.taylor import TaylorTerms as TaylorTerms
from tfrobust.spec import public_names

__all__ = public_names(globals())
