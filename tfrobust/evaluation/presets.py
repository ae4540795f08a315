"""The suites of AutoAttack, and a short one."""

from tfrobust.attacks.apgd import APGD
from tfrobust.attacks.fab import FAB
from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.square import Square
from tfrobust.evaluation.named_suites import Attacks, NamedSuites
from tfrobust.losses.logit_objectives import DLR, TargetedDLR
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.l1 import L1
from tfrobust.threat_models.l2 import L2
from tfrobust.threat_models.linf import Linf

PRESETS = NamedSuites()
ALIASES = {"autoattack": "autoattack_standard", "aa_standard": "autoattack_standard"}


@PRESETS.enter()
def autoattack_standard(threat_model: ThreatModel) -> Attacks:
    """AutoAttack: APGD-CE, APGD-T and FAB-T for nine classes, Square with 5000 queries; L1 see `suite`."""
    sparse = isinstance(threat_model, L1)
    restarts, targets = (5, 5) if sparse else (1, 9)
    return [
        ("apgd-ce", APGD(threat_model, restarts=restarts, larger_radii=sparse)),
        ("apgd-t", APGD(threat_model, TargetedDLR(), targets=targets, larger_radii=sparse)),
        ("fab-t", _fab(threat_model, targets=9)),
        ("square", _square(threat_model)),
    ]


@PRESETS.enter(Linf, L2)
def autoattack_plus(threat_model: ThreatModel) -> Attacks:
    """AutoAttack's longer version: five restarts of the untargeted attacks, and all of the standard one."""
    return [
        ("apgd-ce", APGD(threat_model, restarts=5)),
        ("apgd-dlr", APGD(threat_model, DLR(), restarts=5)),
        ("fab", _fab(threat_model, restarts=5)),
        ("square", _square(threat_model)),
        ("apgd-t", APGD(threat_model, TargetedDLR(), targets=9)),
        ("fab-t", _fab(threat_model, targets=9)),
    ]


@PRESETS.enter()
def autoattack_rand(threat_model: ThreatModel) -> Attacks:
    """AutoAttack for models with noise: APGD-CE and APGD-DLR with the mean of 20 gradients."""
    return [
        ("apgd-ce", APGD(threat_model, eot=20)),
        ("apgd-dlr", APGD(threat_model, DLR(), eot=20)),
    ]


@PRESETS.enter()
def pgd_20(threat_model: ThreatModel) -> Attacks:
    """20 steps of a quarter of the radius from a uniform start; the last iterate counts."""
    return [("pgd-20", PGD(threat_model, steps=20))]


def _fab(threat_model, restarts=1, targets=0):
    return FAB(threat_model, steps=100, restarts=restarts, targets=targets)


def _square(threat_model):
    return Square(threat_model, queries=5000, restarts=1)
