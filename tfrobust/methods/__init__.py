"""Training methods: each a Keras model around a classifier."""

from tfrobust.methods.adv import ADV
from tfrobust.methods.atlas import ATLAS
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.fait import FAIT
from tfrobust.methods.free import Free
from tfrobust.methods.gairat import GAIRAT
from tfrobust.methods.gat import GAT
from tfrobust.methods.hat import HAT
from tfrobust.methods.llr import LLR
from tfrobust.methods.mart import MART
from tfrobust.methods.natural import Natural
from tfrobust.methods.trades import TRADES

__all__ = [
    "ADV",
    "ATLAS",
    "FAIT",
    "GAIRAT",
    "GAT",
    "HAT",
    "LLR",
    "MART",
    "TRADES",
    "AdversarialModel",
    "Free",
    "Natural",
]
