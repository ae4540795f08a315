"""Numbers per example from logits."""

from tfrobust.losses.boosted import boosted_cross_entropy
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.clipping import LossClipping
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.losses.linearity import LinearityError
from tfrobust.losses.margin import (
    difference_of_logits_ratio,
    logit_difference,
    margin,
    targeted_difference_of_logits_ratio,
)
from tfrobust.losses.objectives import (
    DLR,
    CrossEntropy,
    LogitDifference,
    Margin,
    Objective,
    TargetedDLR,
    ToClean,
    ToLabel,
)
from tfrobust.losses.potentials import NegativeEntropy, Potential, SquaredNorm
from tfrobust.losses.squared_difference import HalfSquaredDifference

__all__ = [
    "DLR",
    "Bregman",
    "CrossEntropy",
    "HalfSquaredDifference",
    "LinearityError",
    "LogitDifference",
    "LossClipping",
    "Margin",
    "NegativeEntropy",
    "Objective",
    "Potential",
    "SquaredNorm",
    "TargetedDLR",
    "ToClean",
    "ToLabel",
    "boosted_cross_entropy",
    "cross_entropy",
    "difference_of_logits_ratio",
    "logit_difference",
    "margin",
    "targeted_difference_of_logits_ratio",
]
