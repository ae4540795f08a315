"""Other points in weight space."""

from tfrobust.weights.awp import AWP
from tfrobust.weights.base import WeightPerturbation

__all__ = ["AWP", "WeightPerturbation"]
