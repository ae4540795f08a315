"""FAIT, alone and with maximal entropy."""

from typing import Unpack

import keras

from tfrobust.losses import Bregman
from tfrobust.methods import FAIT
from tfrobust.ops.numbers import integer
from tfrobust.recipes.common import add_defaults, divergence_attack, get_threat_model
from tfrobust.recipes.options import (
    FAITEntropyOptions,
    NormOrThreatModel,
    Radius,
    TRADESOptions,
    Weight,
)
from tfrobust.recipes.trades import add_entropies


def fait(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 10,
    step_size: float | str | None = None,
    intermediate: int = 2,
    beta: Weight = 12.0,
    divergence: Bregman = Bregman(),
    **options: Unpack[TRADESOptions],
) -> FAIT:
    """FAIT: TRADES with the path to the adversarial image cut in two.

    mean over examples of CE(x) + beta * (KL(p(x), p(x*)) + KL(p(x*), p(x')))

    with x* the iterate after `intermediate` steps of the attack that ends at x'.

    Use it where TRADES costs too much clean accuracy.

    Args:
        classifier, threat_model, epsilon, steps, step_size: as for `trades`.
        intermediate: I, from 1 to `steps`.
        beta: the paper's lambda, at least 0; 8 with squared errors.
        divergence: `Bregman` of loss and attack; `Bregman(SquaredNorm())` gives squared errors.
        **options: of `methods.FAIT`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.FAIT`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.fait(models.digits_cnn(), "Linf", 0.15).attack.keep
    (2,)

    Reference: "Adversarial robustness from a Bregman view" (arXiv 2208.12511).
    """
    threat_model = get_threat_model(threat_model, epsilon)
    integer(intermediate, "intermediate", 1, integer(steps, "steps", 1))
    attack = divergence_attack(
        threat_model, divergence, steps=steps, step_size=step_size, keep=(intermediate,)
    )
    settings = add_defaults(threat_model, options)
    return FAIT(classifier, attack, beta=beta, divergence=divergence, **settings)


def fait_mer(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    beta: Weight = 30.0,
    entropy: Weight = 1.0,
    adversarial_entropy: Weight = 0.0,
    divergence: Bregman = Bregman(),
    **options: Unpack[FAITEntropyOptions],
) -> FAIT:
    """FAIT-MER: FAIT with a large beta, and with predictions that are kept uncertain.

    FAIT's loss - entropy * H(p(x)) - adversarial_entropy * H(p(x'))

    Use it on CIFAR-10 and CIFAR-100 with a large beta, where the paper's table has it ahead of FAIT. In
    the digits' table FAIT is ahead.

    Args:
        classifier, threat_model, epsilon, divergence: as for `fait`.
        beta: the paper's lambda, at least 0.
        entropy, adversarial_entropy: the paper's beta_cle and beta_adv, at least 0.
        **options: of `fait`.

    Returns:
        A `methods.FAIT` with `regularizers.MaximalEntropy`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.fait_mer(models.digits_cnn(), "Linf", 0.15).beta
    30.0

    Reference: "Adversarial robustness from a Bregman view" (arXiv 2208.12511).
    """
    settings = add_entropies(divergence, entropy, adversarial_entropy, options)
    return fait(classifier, threat_model, epsilon, beta=beta, divergence=divergence, **settings)
