"""What attacks cost in theory: the numbers of AutoAttack's code, and of the counts of our own searches."""

import pytest

from tfrobust import PGD, Linf
from tfrobust.attacks import APGD, FAB, Attack, RandomNoise, RayS
from tfrobust.attacks.square import Square
from tfrobust.evaluation.reports.passes import AUTOATTACK, count_theoretical_passes
from tfrobust.losses import DLR, TargetedDLR

BALL = Linf("8/255")


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (PGD(BALL, steps=20), (21, 20)),
        (PGD(BALL, steps=20, restarts=3, selection="any"), (63, 60)),
        (PGD(BALL, steps=5, eot=4), (24, 20)),
        (APGD(BALL), (101, 101)),
        (APGD(BALL, DLR(), restarts=5), (505, 505)),
        (APGD(BALL, TargetedDLR(), targets=9), (909, 909)),
        (APGD(BALL, eot=20), (2020, 2020)),
        (Square(BALL), (5001, 0)),
        # Counted on AutoAttack's code, without its one clean pass.
        (FAB(BALL, targets=9), (1828 - 1, 900)),
        (FAB(BALL, restarts=5), (1011 - 1, 5000)),
        (RayS(BALL), (10000, 0)),
        (RandomNoise(BALL), (100, 0)),
        (Attack(), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Attack) else str(value),
)
def test_passes_by_hand(attack, expected):
    assert count_theoretical_passes(attack, 10) == expected


def test_a_kind_of_a_known_attack_costs_the_same():
    class Faster(APGD):
        pass

    assert count_theoretical_passes(Faster(BALL, steps=3), 10) == (4, 4)


def test_fewer_classes_are_fewer_targets():
    assert count_theoretical_passes(APGD(BALL, TargetedDLR(), targets=9), 3) == (202, 202)


def test_autoattack_is_the_sum_of_its_attacks():
    # CE 102 + 101, T 919 + 909, FAB-T 1828 + 900, Square 5003: with the passes around the attacks.
    assert AUTOATTACK == 102 + 919 + 1828 + 5003 + 101 + 909 + 900
