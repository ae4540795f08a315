"""Training methods: each a Keras model around a classifier."""

from tfrobust.methods.adv import ADV
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.fait import FAIT
from tfrobust.methods.natural import Natural
from tfrobust.methods.trades import TRADES

__all__ = ["ADV", "FAIT", "TRADES", "AdversarialModel", "Natural"]
