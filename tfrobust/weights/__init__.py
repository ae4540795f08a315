"""Other points in weight space."""

from tfrobust.spec import public_names
from tfrobust.weights.awp import AWP as AWP
from tfrobust.weights.base import WeightPerturbation as WeightPerturbation
from tfrobust.weights.noise import WeightNoise as WeightNoise

__all__ = public_names(globals())
