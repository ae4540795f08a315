"""Searches of a threat model for a bad point."""

from tfrobust.attacks.base import Attack, Perturbation
from tfrobust.attacks.freeze import EarlyStop, Freeze
from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.starts import Clean, Gaussian, Radial, Start, Uniform
from tfrobust.attacks.steppers import Adam, Steepest, Stepper

__all__ = [
    "PGD",
    "Adam",
    "Attack",
    "Clean",
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
