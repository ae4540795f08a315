"""Adversarial robustness for TensorFlow and Keras.

The names below are the ones that most programs need; the rest is found in the rooms:
`tfrobust.attacks`, `losses`, `methods`, `models`, `regularizers`, `threat_models`, `weights`.
"""

from tfrobust.attacks import PGD, Gaussian, Uniform
from tfrobust.errors import UserError
from tfrobust.losses import Bregman, CrossEntropy, Margin, SquaredNorm, ToClean, ToLabel
from tfrobust.methods import (
    ADV,
    ATLAS,
    FAIT,
    GAIRAT,
    GAT,
    HAT,
    JAC,
    MART,
    TRADES,
    AdversarialModel,
    Free,
    Natural,
    TradesJac,
)
from tfrobust.ops.schedules import LinearRamp, Steps
from tfrobust.regularizers import Jacobian, MaximalEntropy
from tfrobust.threat_models import L2, Linf
from tfrobust.weights import AWP

__version__ = "0.1.0"

__all__ = [
    "ADV",
    "ATLAS",
    "AWP",
    "FAIT",
    "GAIRAT",
    "GAT",
    "HAT",
    "JAC",
    "L2",
    "MART",
    "PGD",
    "TRADES",
    "AdversarialModel",
    "Bregman",
    "CrossEntropy",
    "Free",
    "Gaussian",
    "Jacobian",
    "LinearRamp",
    "Linf",
    "Margin",
    "MaximalEntropy",
    "Natural",
    "SquaredNorm",
    "Steps",
    "ToClean",
    "ToLabel",
    "TradesJac",
    "Uniform",
    "UserError",
]
