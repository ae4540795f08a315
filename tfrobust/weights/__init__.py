"""Other points in weight space."""

from tfrobust.weights.awp import AWP
from tfrobust.weights.base import WeightPerturbation
from tfrobust.weights.noise import WeightNoise

__all__ = ["AWP", "WeightNoise", "WeightPerturbation"]
