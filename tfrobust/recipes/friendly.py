"""Friendly adversarial training: attacks that stop soon after they succeed."""

from typing import Unpack

import keras

from tfrobust.attacks import EarlyStop, Gaussian
from tfrobust.methods import ADV, TRADES
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import Schedule, Steps
from tfrobust.recipes.common import add_defaults, divergence_attack, get_threat_model, label_attack
from tfrobust.recipes.options import (
    AnyADVOptions,
    AnyTRADESOptions,
    NormOrThreatModel,
    Radius,
    Weight,
)


def fat(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 10,
    step_size: float | str | None = None,
    tolerance: int | Schedule = Steps((50, 90), (0, 1, 2)),
    noise: float = 0.001,
    **options: Unpack[AnyADVOptions],
) -> ADV:
    """FAT, friendly adversarial training: the attack stops soon after it succeeds.

    As `adv`, but an example stays where it is `tolerance` steps after its first misclassification.

    Use it where adversarial training costs too much clean accuracy.

    Args:
        classifier, threat_model, epsilon, steps, step_size: as for `adv`.
        tolerance: steps that are made after the first misclassification, at least 0, or a `Schedule`; the
            paper's default grows at epochs 50 and 90 of 120.
        noise: standard deviation of the noise in each step, in pixel units.
        **options: of `methods.ADV`.

    Returns:
        A `methods.ADV` whose attack has `EarlyStop`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.fat(models.digits_cnn(), "Linf", "8/255", tolerance=1).attack.freeze
    EarlyStop(tolerance=1)

    Reference: Zhang et al., "Attacks Which Do Not Kill Training Make Adversarial Learning Stronger", 2020.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    noise = number(noise, "noise", 0.0)
    attack = label_attack(
        threat_model,
        steps=steps,
        step_size=step_size,
        freeze=EarlyStop(tolerance),
        step_noise=noise,
    )
    return ADV(classifier, attack, **add_defaults(threat_model, options))


def fat_trades(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 10,
    step_size: float | str | None = None,
    beta: Weight = 6.0,
    tolerance: int | Schedule = Steps((30, 50, 70), (0, 1, 2, 3)),
    **options: Unpack[AnyTRADESOptions],
) -> TRADES:
    """FAT for TRADES: the attack stops soon after it succeeds.

    As `trades`, but an example stays where it is `tolerance` steps after its first misclassification.

    Use it where TRADES costs too much clean accuracy.

    Args:
        classifier, threat_model, epsilon, steps, step_size, beta: as for `trades`.
        tolerance: steps that are made after the first misclassification, at least 0, or a `Schedule`; the
            paper's default grows at epochs 30, 50 and 70 of 85.
        **options: of `methods.TRADES`.

    Returns:
        A `methods.TRADES` whose attack has `EarlyStop`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.fat_trades(models.digits_cnn(), "Linf", 0.15, tolerance=1).attack.freeze
    EarlyStop(tolerance=1)

    Reference: Zhang et al., "Attacks Which Do Not Kill Training Make Adversarial Learning Stronger", 2020.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = divergence_attack(
        threat_model,
        steps=steps,
        step_size=step_size,
        start=Gaussian(0.001, clip=True),
        freeze=EarlyStop(tolerance),
    )
    return TRADES(classifier, attack, beta=beta, **add_defaults(threat_model, options))
