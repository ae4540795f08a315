"""Sets of images that an adversary may choose from."""

from tfrobust.spec import public_names
from tfrobust.threat_models.base import ThreatModel as ThreatModel
from tfrobust.threat_models.l1 import L1 as L1
from tfrobust.threat_models.l2 import L2 as L2
from tfrobust.threat_models.linf import Linf as Linf

__all__ = public_names(globals())
