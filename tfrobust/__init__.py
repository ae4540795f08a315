"""Adversarial robustness for TensorFlow and Keras.

The names below are the ones that most programs need; the rest is found in the rooms:
`tfrobust.attacks`, `evaluation`, `losses`, `methods`, `models`, `regularizers`, `threat_models`, `weights`.
"""

from tfrobust.attacks import APGD, FAB, PGD, Adam, Clean, Gaussian, RayS, Square, Uniform
from tfrobust.errors import UserError
from tfrobust.evaluation import evaluate
from tfrobust.losses import (
    Bregman,
    CrossEntropy,
    LinearityError,
    Margin,
    SquaredNorm,
    ToClean,
    ToLabel,
)
from tfrobust.methods import (
    ADV,
    ATLAS,
    FAIT,
    GAIRAT,
    GAT,
    HAT,
    LLR,
    MART,
    TRADES,
    AdversarialModel,
    Free,
    Natural,
)
from tfrobust.ops.schedules import LinearRamp, Steps, WarmUp
from tfrobust.regularizers import (
    Curvature,
    GapLabels,
    GradientAlignment,
    Jacobian,
    MaximalEntropy,
    TaylorTerms,
)
from tfrobust.threat_models import L1, L2, Linf
from tfrobust.version import __version__
from tfrobust.weights import AWP, WeightNoise

__all__ = [
    "ADV",
    "APGD",
    "ATLAS",
    "AWP",
    "FAB",
    "FAIT",
    "GAIRAT",
    "GAT",
    "HAT",
    "L1",
    "L2",
    "LLR",
    "MART",
    "PGD",
    "TRADES",
    "Adam",
    "AdversarialModel",
    "Bregman",
    "Clean",
    "CrossEntropy",
    "Curvature",
    "Free",
    "GapLabels",
    "Gaussian",
    "GradientAlignment",
    "Jacobian",
    "LinearRamp",
    "LinearityError",
    "Linf",
    "Margin",
    "MaximalEntropy",
    "Natural",
    "RayS",
    "Square",
    "SquaredNorm",
    "Steps",
    "TaylorTerms",
    "ToClean",
    "ToLabel",
    "Uniform",
    "UserError",
    "WarmUp",
    "WeightNoise",
    "__version__",
    "evaluate",
]
