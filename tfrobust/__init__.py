"""Adversarial robustness for TensorFlow and Keras.

Most programs need a recipe and an evaluation:

    method = tfrobust.recipes.trades(classifier, "Linf", "8/255")
    method.compile("sgd")
    method.fit(images, labels)
    result = tfrobust.evaluate(method.classifier, (images, labels), "autoattack", tfrobust.Linf("8/255"))

The names here are the ones in common use. The rest is found in the rooms: `attacks`, `bounds`,
`certification`, `comparison`, `data`, `evaluation`, `losses`, `methods`, `models`, `plots`, `recipes`,
`regularizers`, `serving`, `threat_models`, `training`, `weights`.
"""

import importlib

from tfrobust.attacks import APGD, FAB, PGD, Attack, Clean, Gaussian, RayS, Square, Uniform
from tfrobust.certification import certify
from tfrobust.comparison import compare_evaluations
from tfrobust.contract import adapt
from tfrobust.errors import UserError
from tfrobust.evaluation import RobustAccuracy, evaluate, robust_accuracy
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
    Regularizer,
    TaylorTerms,
)
from tfrobust.serving import save_classifier
from tfrobust.threat_models import L1, L2, Linf, ThreatModel
from tfrobust.version import __version__
from tfrobust.weights import AWP, WeightNoise, WeightPerturbation

__all__ = [
    "ADV",
    "APGD",
    "ATLAS",
    "AWP",
    "AdversarialModel",
    "Attack",
    "Bregman",
    "Clean",
    "CrossEntropy",
    "Curvature",
    "FAB",
    "FAIT",
    "Free",
    "GAIRAT",
    "GAT",
    "GapLabels",
    "Gaussian",
    "GradientAlignment",
    "HAT",
    "Jacobian",
    "L1",
    "L2",
    "LLR",
    "LinearRamp",
    "LinearityError",
    "Linf",
    "MART",
    "Margin",
    "MaximalEntropy",
    "Natural",
    "PGD",
    "RayS",
    "Regularizer",
    "RobustAccuracy",
    "Square",
    "SquaredNorm",
    "Steps",
    "TRADES",
    "TaylorTerms",
    "ThreatModel",
    "ToClean",
    "ToLabel",
    "Uniform",
    "UserError",
    "WarmUp",
    "WeightNoise",
    "WeightPerturbation",
    "__version__",
    "adapt",
    "certify",
    "compare_evaluations",
    "evaluate",
    "robust_accuracy",
    "save_classifier",
    "attacks",
    "bounds",
    "certification",
    "comparison",
    "data",
    "evaluation",
    "losses",
    "methods",
    "models",
    "plots",
    "recipes",
    "regularizers",
    "serving",
    "threat_models",
    "training",
    "weights",
]


def __getattr__(name):
    # Rooms that nothing above has imported yet.
    if name in __all__:
        return importlib.import_module(f"tfrobust.{name}")
    if name in ("JAC", "TradesJac"):
        return getattr(importlib.import_module("tfrobust.recipes.former"), name)
    raise AttributeError(f"module 'tfrobust' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
