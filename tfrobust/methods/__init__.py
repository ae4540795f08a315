"""Training methods: each a Keras model around a classifier."""

from tfrobust.methods.adv import ADV as ADV
from tfrobust.methods.atlas import ATLAS as ATLAS
from tfrobust.methods.base import AdversarialModel as AdversarialModel
from tfrobust.methods.certified import CertifiedTraining as CertifiedTraining
from tfrobust.methods.fait import FAIT as FAIT
from tfrobust.methods.free import Free as Free
from tfrobust.methods.gairat import GAIRAT as GAIRAT
from tfrobust.methods.gat import GAT as GAT
from tfrobust.methods.gaussian_noise import GaussianNoise as GaussianNoise
from tfrobust.methods.hat import HAT as HAT
from tfrobust.methods.llr import LLR as LLR
from tfrobust.methods.mart import MART as MART
from tfrobust.methods.natural import Natural as Natural
from tfrobust.methods.smooth_adv import SmoothAdv as SmoothAdv
from tfrobust.methods.trades import TRADES as TRADES
from tfrobust.spec import public_names

__all__ = public_names(globals())
