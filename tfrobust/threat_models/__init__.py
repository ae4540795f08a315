"""Sets of images that an adversary may choose from."""

from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.l1 import L1
from tfrobust.threat_models.l2 import L2
from tfrobust.threat_models.linf import Linf

__all__ = ["L1", "L2", "Linf", "ThreatModel"]
