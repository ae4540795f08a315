"""HAT, which asks a natural classifier beyond the adversarial image."""

from typing import Unpack

import keras

from tfrobust.methods import HAT
from tfrobust.ops.schedules import Schedule
from tfrobust.recipes.common import add_defaults, divergence_attack, get_threat_model
from tfrobust.recipes.options import HATOptions, NormOrThreatModel, Radius, Weight


def hat(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    helper: keras.Model,
    steps: int = 10,
    step_size: float | str | None = None,
    beta: Weight = 2.5,
    gamma: float | Schedule = 0.5,
    **options: Unpack[HATOptions],
) -> HAT:
    """HAT: TRADES, and beyond the adversarial image the label that a natural classifier would give.

    mean over examples of CE(x) + beta * KL(p(x), p(x')) + gamma * CE(x + 2 (x' - x), helper(x'))

    Use it where TRADES makes the decision boundary wider than it need be, and so costs clean accuracy.

    Args:
        classifier, threat_model, epsilon, steps, step_size: as for `trades`.
        helper: a classifier of natural training, which stays as it is; untrained with
            `training.TrainHelper` as a callback.
        beta, gamma: weights of the divergence and of the helper's term, at least 0.
        **options: of `methods.HAT`.

    Returns:
        A `methods.HAT`.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.hat(models.digits_cnn(), "Linf", 0.15, helper=models.digits_cnn())
    >>> method.gamma
    0.5

    Reference: Rade, Moosavi-Dezfooli, "Reducing Excessive Margin to Achieve a Better Accuracy vs. Robustness
    Trade-off", 2022.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = divergence_attack(threat_model, steps=steps, step_size=step_size)
    settings = add_defaults(threat_model, options)
    return HAT(classifier, attack, helper=helper, beta=beta, gamma=gamma, **settings)
