"""The named suites: what AutoAttack and the papers run, attack by attack."""

from collections.abc import Callable

from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.attacks.apgd import APGD
from tfrobust.attacks.carlini_wagner import cw_20
from tfrobust.attacks.fab import FAB
from tfrobust.attacks.multi_targeted import multi_targeted
from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.random_targeted import random_targeted
from tfrobust.attacks.rays import RayS
from tfrobust.attacks.square import Square
from tfrobust.attacks.starts import Uniform
from tfrobust.attacks.transfer import Transfer
from tfrobust.attacks.untargeted_margin import untargeted_margin
from tfrobust.errors import UserError
from tfrobust.losses.objectives import DLR, CrossEntropy, Margin, TargetedDLR
from tfrobust.threat_models.l1 import L1
from tfrobust.threat_models.l2 import L2
from tfrobust.threat_models.linf import Linf

PRESETS: dict[str, Callable] = {}
ALIASES = {"autoattack": "autoattack_standard", "aa_standard": "autoattack_standard"}


def preset(norm=None, surrogates=False):
    """Enters a function into `PRESETS` under its name.

    Args:
        norm: the kind of threat model that it is for, or a tuple of kinds; None for any.
        surrogates: whether it takes models that stand in for the one under attack.
    """

    def enter(function):
        def build(threat_model, given=()):
            name = function.__name__
            if norm is not None and not isinstance(threat_model, norm):
                kinds = norm if isinstance(norm, tuple) else (norm,)
                raise UserError(
                    f"The suite {name} is made for {' and '.join(kind.__name__ for kind in kinds)}. "
                    f"Received: threat_model={threat_model!r}."
                )
            if bool(given) != surrogates:
                raise UserError(
                    f"The suite {name} transfers images from other models: give them as `surrogates`, "
                    "such as a model of another seed, trained in the same way."
                    if surrogates
                    else f"The suite {name} takes no `surrogates`. Leave them out."
                )
            extra = (tuple(given),) if surrogates else ()
            return tuple(function(threat_model, *extra))

        build.__doc__ = function.__doc__
        PRESETS[function.__name__] = build
        return function

    return enter


@preset()
def autoattack_standard(threat_model):
    """AutoAttack: APGD-CE, APGD-T and FAB-T for nine classes, Square with 5000 queries; L1 see `suite`."""
    sparse = isinstance(threat_model, L1)
    restarts, targets = (5, 5) if sparse else (1, 9)
    return [
        ("apgd-ce", APGD(threat_model, restarts=restarts, larger_radii=sparse)),
        ("apgd-t", APGD(threat_model, TargetedDLR(), targets=targets, larger_radii=sparse)),
        ("fab-t", _fab(threat_model, targets=9)),
        ("square", _square(threat_model)),
    ]


@preset((Linf, L2))
def autoattack_plus(threat_model):
    """AutoAttack's longer version: five restarts of the untargeted attacks, and all of the standard one."""
    return [
        ("apgd-ce", APGD(threat_model, restarts=5)),
        ("apgd-dlr", APGD(threat_model, DLR(), restarts=5)),
        ("fab", _fab(threat_model, restarts=5)),
        ("square", _square(threat_model)),
        ("apgd-t", APGD(threat_model, TargetedDLR(), targets=9)),
        ("fab-t", _fab(threat_model, targets=9)),
    ]


@preset()
def autoattack_rand(threat_model):
    """AutoAttack for models with noise: APGD-CE and APGD-DLR with the mean of 20 gradients."""
    return [
        ("apgd-ce", APGD(threat_model, eot=20)),
        ("apgd-dlr", APGD(threat_model, DLR(), eot=20)),
    ]


@preset()
def pgd_20(threat_model):
    """20 steps of a quarter of the radius from a uniform start; the last iterate counts."""
    return [("pgd-20", PGD(threat_model, steps=20))]


@preset(Linf)
def atlas_pgd20(threat_model):
    """ATLAS's PGD-20. Inferred: the step (2/255; 0.01 from radii of 0.1 on, MNIST), any iterate counts."""
    return [("pgd-20", _atlas_pgd(threat_model, 20))]


@preset(Linf)
def atlas_pgd1000(threat_model):
    """ATLAS's PGD-1000. Inferred, as for PGD-20: the step, and that any iterate counts."""
    return [("pgd-1000", _atlas_pgd(threat_model, 1000))]


@preset(Linf)
def atlas_valid_cifar(threat_model):
    """By which ATLAS chose its epoch on CIFAR; inferred: that any iterate counts."""
    return [("pgd-10", PGD(threat_model, steps=10, step_size=0.007, selection="any"))]


@preset(Linf)
def atlas_valid_mnist(threat_model):
    """By which ATLAS chose its epoch on MNIST; inferred: that any iterate counts."""
    return [("pgd-20", PGD(threat_model, steps=20, step_size=0.01, selection="any"))]


@preset(Linf)
def atlas_unt_wrn(threat_model):
    """ATLAS's untargeted attack, CIFAR: 10 x 100 steps. Inferred: LLR's schedule, scaled."""
    return [("unt", untargeted_margin(threat_model, 100, 10))]


@preset(Linf)
def atlas_unt_cnn(threat_model):
    """ATLAS's untargeted attack, MNIST: 20 x 50 steps. Inferred: LLR's schedule, scaled."""
    return [("unt", untargeted_margin(threat_model, 50, 20))]


@preset(Linf)
def atlas_multit_wrn(threat_model):
    """ATLAS's multi-targeted attack, CIFAR-10: 5 x 20 steps a class. Inferred: LLR's Adam and rate."""
    return [("multi-t", multi_targeted(threat_model, 20, 5))]


@preset(Linf)
def atlas_multit_cnn(threat_model):
    """ATLAS's multi-targeted attack, MNIST: 20 x 50 steps a class. Inferred: LLR's Adam and rate."""
    return [("multi-t", multi_targeted(threat_model, 50, 20))]


@preset(Linf, surrogates=True)
def atlas_blackbox(threat_model, surrogates):
    """ATLAS's black box: final iterates of PGD-1000 on surrogates. Inferred: the step of its PGD-20."""
    attack = _atlas_pgd(threat_model, 1000, "last")
    return _transfers("pgd-1000", attack, surrogates)


@preset(Linf)
def atlas_rays(threat_model):
    """ATLAS's RayS with 40,000 queries; it ran it on 1000 random test images."""
    return [("rays", RayS(threat_model, queries=40_000))]


@preset(Linf)
def rat_pgd20(threat_model):
    """RAT's PGD-20, also TRADES's: radius 0.031, step 0.003, start not cut to the box, last iterate."""
    return [("pgd-20", _rat_pgd(threat_model, 0.003))]


@preset(Linf)
def rat_cw20(threat_model):
    """RAT's CW-20: radius 0.031, step 0.003, start not cut to the box, last iterate."""
    return [("cw-20", cw_20(threat_model))]


@preset(Linf)
def rat_svhn(threat_model):
    """RAT's PGD-20 and CW-20 on SVHN: radius 4/255, step 1/255."""
    return [
        ("pgd-20", _rat_pgd(threat_model, "1/255")),
        ("cw-20", cw_20(threat_model, step_size="1/255")),
    ]


@preset(L2)
def rat_l2(threat_model):
    """RAT's PGD-20 in L2, radius 128/255. Inferred: the training's step, 15/255, and the start."""
    return [("pgd-20", _rat_pgd(threat_model, "15/255"))]


@preset(Linf, surrogates=True)
def rat_blackbox(threat_model, surrogates):
    """RAT's black box, radius 0.031: PGD-20 and CW-20 on surrogates of plain adversarial training."""
    return [
        *_transfers("pgd-20", _rat_pgd(threat_model, 0.003), surrogates),
        *_transfers("cw-20", cw_20(threat_model), surrogates),
    ]


@preset(Linf)
def rat_rays(threat_model):
    """RAT's RayS. Inferred: 10,000 queries, the default of RayS's code."""
    return [("rays", RayS(threat_model, queries=10_000))]


@preset(Linf)
def fait_pgd100(threat_model):
    """FAIT's PGD-100, radius 8/255. Inferred: the training's step, 2/255, start and last iterate."""
    return [("pgd-100", PGD(threat_model, steps=100, step_size="2/255"))]


@preset(Linf)
def llr_untargeted(threat_model):
    """LLR's untargeted attack: 20 x 200 steps of Adam with a falling rate."""
    return [("untargeted", untargeted_margin(threat_model))]


@preset(Linf)
def llr_multit(threat_model):
    """LLR's multi-targeted attack, for CIFAR-10: 20 x 200 steps of Adam for every class."""
    return [("multi-targeted", multi_targeted(threat_model))]


@preset(Linf)
def llr_randt(threat_model):
    """LLR's random-targeted attack, for ImageNet: 20 x 200 steps; its success rate for the target."""
    return [("random-targeted", random_targeted(threat_model))]


@preset(Linf)
def llr_fgsm20(threat_model):
    """What LLR calls FGSM-20: 20 steps of a tenth of the radius. Inferred: a uniform start."""
    return [("fgsm-20", PGD(threat_model, steps=20, relative_step_size="1/10"))]


@preset(Linf)
def llr_pgd50(threat_model):
    """LLR's PGD-50: Adam of rate 0.1 on the cross-entropy; the last iterate counts."""
    return [("pgd-50", _llr_pgd(threat_model, CrossEntropy()))]


@preset(Linf)
def llr_pgd50_code(threat_model):
    """LLR's released code, PGD-50: Adam of rate 0.1 on the margin up to 30; the last iterate counts."""
    return [("pgd-50", _llr_pgd(threat_model, Margin(confidence=30.0)))]


def _llr_pgd(threat_model, objective):
    return adam_pgd(threat_model, objective, 50, 1, decay=False, selection="last")


def _atlas_pgd(threat_model, steps, selection="any"):
    step_size = "2/255" if threat_model.radius() < 0.1 else 0.01
    return PGD(threat_model, steps=steps, step_size=step_size, selection=selection)


def _rat_pgd(threat_model, step_size):
    return PGD(threat_model, steps=20, step_size=step_size, start=Uniform(clip=False))


def _fab(threat_model, restarts=1, targets=0):
    return FAB(threat_model, steps=100, restarts=restarts, targets=targets)


def _square(threat_model):
    return Square(threat_model, queries=5000, restarts=1)


def _transfers(name, attack, surrogates):
    """An attack for each surrogate; an image of any of them counts."""
    return [
        (f"{name}-from-{place}", Transfer(attack, (surrogate,)))
        for place, surrogate in enumerate(surrogates)
    ]
