"""Numbers per example from logits."""

from tfrobust.losses.boosted import boosted_cross_entropy as boosted_cross_entropy
from tfrobust.losses.bregman import Bregman as Bregman
from tfrobust.losses.clipping import LossClipping as LossClipping
from tfrobust.losses.cross_entropy import cross_entropy as cross_entropy
from tfrobust.losses.likeliest_class import OfLikeliestClass as OfLikeliestClass
from tfrobust.losses.linearity import LinearityError as LinearityError
from tfrobust.losses.logit_objectives import DLR as DLR
from tfrobust.losses.logit_objectives import LogitDifference as LogitDifference
from tfrobust.losses.logit_objectives import Margin as Margin
from tfrobust.losses.logit_objectives import TargetedDLR as TargetedDLR
from tfrobust.losses.margin import difference_of_logits_ratio as difference_of_logits_ratio
from tfrobust.losses.margin import logit_difference as logit_difference
from tfrobust.losses.margin import margin as margin
from tfrobust.losses.margin import (
    targeted_difference_of_logits_ratio as targeted_difference_of_logits_ratio,
)
from tfrobust.losses.objectives import CrossEntropy as CrossEntropy
from tfrobust.losses.objectives import Objective as Objective
from tfrobust.losses.objectives import ToClean as ToClean
from tfrobust.losses.objectives import ToLabel as ToLabel
from tfrobust.losses.potentials import NegativeEntropy as NegativeEntropy
from tfrobust.losses.potentials import Potential as Potential
from tfrobust.losses.potentials import SquaredNorm as SquaredNorm
from tfrobust.losses.squared_difference import HalfSquaredDifference as HalfSquaredDifference
from tfrobust.spec import public_names

__all__ = public_names(globals())
