"""Searches of a threat model for a bad point."""

from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.attacks.apgd import APGD
from tfrobust.attacks.base import Attack, Case, Perturbation, caught, fresh
from tfrobust.attacks.carlini_wagner import cw_20
from tfrobust.attacks.fab import FAB
from tfrobust.attacks.fgsm import fgsm, fgsm_rs
from tfrobust.attacks.freeze import EarlyStop, Freeze
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.attacks.multi_targeted import multi_targeted
from tfrobust.attacks.noise import RandomNoise
from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.random_targeted import random_targeted
from tfrobust.attacks.rays import RayS
from tfrobust.attacks.square import Square
from tfrobust.attacks.starts import Clean, Corner, Gaussian, Radial, Start, Uniform
from tfrobust.attacks.steppers import Adam, Steepest, Stepper
from tfrobust.attacks.transfer import Transfer
from tfrobust.attacks.untargeted_margin import untargeted_margin

__all__ = [
    "APGD",
    "FAB",
    "PGD",
    "Adam",
    "Attack",
    "Case",
    "Clean",
    "Corner",
    "EarlyStop",
    "Freeze",
    "Gaussian",
    "IterativeAttack",
    "Perturbation",
    "Radial",
    "RandomNoise",
    "RayS",
    "Square",
    "Start",
    "Steepest",
    "Stepper",
    "Transfer",
    "Uniform",
    "adam_pgd",
    "caught",
    "cw_20",
    "fresh",
    "fgsm",
    "fgsm_rs",
    "multi_targeted",
    "random_targeted",
    "untargeted_margin",
]
