"""Searches of a threat model for a bad point."""

from tfrobust.attacks.apgd import APGD
from tfrobust.attacks.base import Attack, Perturbation
from tfrobust.attacks.freeze import EarlyStop, Freeze
from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.starts import Clean, Corner, Gaussian, Radial, Start, Uniform
from tfrobust.attacks.steppers import Adam, Steepest, Stepper

__all__ = [
    "APGD",
    "PGD",
    "Adam",
    "Attack",
    "Clean",
    "Corner",
    "EarlyStop",
    "Freeze",
    "Gaussian",
    "Perturbation",
    "Radial",
    "Start",
    "Steepest",
    "Stepper",
    "Uniform",
]
