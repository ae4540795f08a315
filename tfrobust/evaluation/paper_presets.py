"""The suites of the papers, attack by attack; what a paper leaves open and was inferred is said."""

from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.attacks.carlini_wagner import cw_20
from tfrobust.attacks.multi_targeted import multi_targeted
from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.random_targeted import random_targeted
from tfrobust.attacks.rays import RayS
from tfrobust.attacks.starts import Uniform
from tfrobust.attacks.transfer import Transfer
from tfrobust.attacks.untargeted_margin import untargeted_margin
from tfrobust.evaluation.named_suites import Attacks, NamedSuites
from tfrobust.losses.logit_objectives import Margin
from tfrobust.losses.objectives import CrossEntropy
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.l2 import L2
from tfrobust.threat_models.linf import Linf

PAPER_PRESETS = NamedSuites()


@PAPER_PRESETS.enter(Linf)
def atlas_pgd20(threat_model: ThreatModel) -> Attacks:
    """ATLAS's PGD-20. Inferred: the step (2/255; 0.01 from radii of 0.1 on, MNIST), any iterate counts."""
    return [("pgd-20", _atlas_pgd(threat_model, 20))]


@PAPER_PRESETS.enter(Linf)
def atlas_pgd1000(threat_model: ThreatModel) -> Attacks:
    """ATLAS's PGD-1000. Inferred, as for PGD-20: the step, and that any iterate counts."""
    return [("pgd-1000", _atlas_pgd(threat_model, 1000))]


@PAPER_PRESETS.enter(Linf)
def atlas_valid_cifar(threat_model: ThreatModel) -> Attacks:
    """ATLAS's PGD-10, by which it chose the epoch on CIFAR. Inferred: any iterate counts."""
    return [("pgd-10", PGD(threat_model, steps=10, step_size=0.007, selection="any"))]


@PAPER_PRESETS.enter(Linf)
def atlas_valid_mnist(threat_model: ThreatModel) -> Attacks:
    """ATLAS's PGD-20, by which it chose the epoch on MNIST. Inferred: any iterate counts."""
    return [("pgd-20", PGD(threat_model, steps=20, step_size=0.01, selection="any"))]


@PAPER_PRESETS.enter(Linf)
def atlas_unt_wrn(threat_model: ThreatModel) -> Attacks:
    """ATLAS's untargeted attack, CIFAR: 10 x 100 steps. Inferred: LLR's schedule, scaled."""
    return [("unt", untargeted_margin(threat_model, 100, 10))]


@PAPER_PRESETS.enter(Linf)
def atlas_unt_cnn(threat_model: ThreatModel) -> Attacks:
    """ATLAS's untargeted attack, MNIST: 20 x 50 steps. Inferred: LLR's schedule, scaled."""
    return [("unt", untargeted_margin(threat_model, 50, 20))]


@PAPER_PRESETS.enter(Linf)
def atlas_multit_wrn(threat_model: ThreatModel) -> Attacks:
    """ATLAS's multi-targeted attack, CIFAR-10: 5 x 20 steps a class. Inferred: LLR's Adam and rate."""
    return [("multi-t", multi_targeted(threat_model, 20, 5))]


@PAPER_PRESETS.enter(Linf)
def atlas_multit_cnn(threat_model: ThreatModel) -> Attacks:
    """ATLAS's multi-targeted attack, MNIST: 20 x 50 steps a class. Inferred: LLR's Adam and rate."""
    return [("multi-t", multi_targeted(threat_model, 50, 20))]


@PAPER_PRESETS.enter(Linf, surrogates=True)
def atlas_blackbox(threat_model: ThreatModel, surrogates: tuple) -> Attacks:
    """ATLAS's black-box attack: last iterates of PGD-1000 on surrogates. Inferred: its PGD-20's step."""
    attack = _atlas_pgd(threat_model, 1000, "last")
    return _transfers("pgd-1000", attack, surrogates)


@PAPER_PRESETS.enter(Linf)
def atlas_rays(threat_model: ThreatModel) -> Attacks:
    """ATLAS's RayS with 40,000 queries; the paper used 1000 random test images."""
    return [("rays", RayS(threat_model, queries=40_000))]


@PAPER_PRESETS.enter(Linf)
def rat_pgd20(threat_model: ThreatModel) -> Attacks:
    """RAT's PGD-20, also TRADES's: radius 0.031, step 0.003, start not cut to the box, last iterate."""
    return [("pgd-20", _rat_pgd(threat_model, 0.003))]


@PAPER_PRESETS.enter(Linf)
def rat_cw20(threat_model: ThreatModel) -> Attacks:
    """RAT's CW-20: radius 0.031, step 0.003, start not cut to the box, last iterate."""
    return [("cw-20", cw_20(threat_model))]


@PAPER_PRESETS.enter(Linf)
def rat_svhn(threat_model: ThreatModel) -> Attacks:
    """RAT's PGD-20 and CW-20 on SVHN: radius 4/255, step 1/255."""
    return [
        ("pgd-20", _rat_pgd(threat_model, "1/255")),
        ("cw-20", cw_20(threat_model, step_size="1/255")),
    ]


@PAPER_PRESETS.enter(L2)
def rat_l2(threat_model: ThreatModel) -> Attacks:
    """RAT's PGD-20 in L2, radius 128/255. Inferred: the training's step, 15/255, and the start."""
    return [("pgd-20", _rat_pgd(threat_model, "15/255"))]


@PAPER_PRESETS.enter(Linf, surrogates=True)
def rat_blackbox(threat_model: ThreatModel, surrogates: tuple) -> Attacks:
    """RAT's black-box attack, radius 0.031: PGD-20 and CW-20 on surrogates of plain adversarial training."""
    return [
        *_transfers("pgd-20", _rat_pgd(threat_model, 0.003), surrogates),
        *_transfers("cw-20", cw_20(threat_model), surrogates),
    ]


@PAPER_PRESETS.enter(Linf)
def rat_rays(threat_model: ThreatModel) -> Attacks:
    """RAT's RayS. Inferred: 10,000 queries, the default of RayS's code."""
    return [("rays", RayS(threat_model, queries=10_000))]


@PAPER_PRESETS.enter(Linf)
def fait_pgd100(threat_model: ThreatModel) -> Attacks:
    """FAIT's PGD-100, radius 8/255. Inferred: the training's step, 2/255, start and last iterate."""
    return [("pgd-100", PGD(threat_model, steps=100, step_size="2/255"))]


@PAPER_PRESETS.enter(Linf)
def llr_untargeted(threat_model: ThreatModel) -> Attacks:
    """LLR's untargeted attack: 20 x 200 steps of Adam with a falling rate."""
    return [("untargeted", untargeted_margin(threat_model))]


@PAPER_PRESETS.enter(Linf)
def llr_multit(threat_model: ThreatModel) -> Attacks:
    """LLR's multi-targeted attack, for CIFAR-10: 20 x 200 steps of Adam for every class."""
    return [("multi-targeted", multi_targeted(threat_model))]


@PAPER_PRESETS.enter(Linf)
def llr_randt(threat_model: ThreatModel) -> Attacks:
    """LLR's random-targeted attack, for ImageNet: 20 x 200 steps; its success rate for the target."""
    return [("random-targeted", random_targeted(threat_model))]


@PAPER_PRESETS.enter(Linf)
def llr_fgsm20(threat_model: ThreatModel) -> Attacks:
    """What LLR calls FGSM-20: 20 steps of a tenth of the radius. Inferred: a uniform start."""
    return [("fgsm-20", PGD(threat_model, steps=20, relative_step_size="1/10"))]


@PAPER_PRESETS.enter(Linf)
def llr_pgd50(threat_model: ThreatModel) -> Attacks:
    """LLR's PGD-50: Adam of rate 0.1 on the cross-entropy; the last iterate counts."""
    return [("pgd-50", _llr_pgd(threat_model, CrossEntropy()))]


@PAPER_PRESETS.enter(Linf)
def llr_pgd50_code(threat_model: ThreatModel) -> Attacks:
    """LLR's released code, PGD-50: Adam of rate 0.1 on the margin up to 30; the last iterate counts."""
    return [("pgd-50", _llr_pgd(threat_model, Margin(confidence=30.0)))]


def _llr_pgd(threat_model, objective):
    return adam_pgd(threat_model, objective, 50, 1, decay=False, selection="last")


def _atlas_pgd(threat_model, steps, selection="any"):
    step_size = "2/255" if threat_model.radius() < 0.1 else 0.01
    return PGD(threat_model, steps=steps, step_size=step_size, selection=selection)


def _rat_pgd(threat_model, step_size):
    return PGD(threat_model, steps=20, step_size=step_size, start=Uniform(clip=False))


def _transfers(name, attack, surrogates):
    """An attack for each surrogate; an image of any of them counts."""
    return [
        (f"{name}-from-{place}", Transfer(attack, (surrogate,)))
        for place, surrogate in enumerate(surrogates)
    ]
