"""Attacks: searches for adversarial images within a threat model."""

from tfrobust.attacks.adam_pgd import adam_pgd as adam_pgd
from tfrobust.attacks.answers import record_success as record_success
from tfrobust.attacks.apgd import APGD as APGD
from tfrobust.attacks.base import Attack as Attack
from tfrobust.attacks.carlini_wagner import cw_20 as cw_20
from tfrobust.attacks.case import Case as Case
from tfrobust.attacks.case import Perturbation as Perturbation
from tfrobust.attacks.case import make_state as make_state
from tfrobust.attacks.fab import FAB as FAB
from tfrobust.attacks.fgsm import fgsm as fgsm
from tfrobust.attacks.fgsm import fgsm_rs as fgsm_rs
from tfrobust.attacks.freeze import EarlyStop as EarlyStop
from tfrobust.attacks.freeze import Freeze as Freeze
from tfrobust.attacks.iterative import IterativeAttack as IterativeAttack
from tfrobust.attacks.multi_targeted import multi_targeted as multi_targeted
from tfrobust.attacks.noise import RandomNoise as RandomNoise
from tfrobust.attacks.pgd import PGD as PGD
from tfrobust.attacks.random_targeted import random_targeted as random_targeted
from tfrobust.attacks.rays import RayS as RayS
from tfrobust.attacks.square import Square as Square
from tfrobust.attacks.starts import Clean as Clean
from tfrobust.attacks.starts import Corner as Corner
from tfrobust.attacks.starts import Gaussian as Gaussian
from tfrobust.attacks.starts import Radial as Radial
from tfrobust.attacks.starts import Start as Start
from tfrobust.attacks.starts import Uniform as Uniform
from tfrobust.attacks.steppers import Adam as Adam
from tfrobust.attacks.steppers import Steepest as Steepest
from tfrobust.attacks.steppers import Stepper as Stepper
from tfrobust.attacks.transfer import Transfer as Transfer
from tfrobust.attacks.untargeted_margin import untargeted_margin as untargeted_margin
from tfrobust.spec import public_names

__all__ = public_names(globals())
