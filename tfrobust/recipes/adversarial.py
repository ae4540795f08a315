"""Recipes that train on adversarial images alone, by several steps."""

from typing import Unpack

import keras

from tfrobust.attacks import Gaussian
from tfrobust.attacks.starts import Start
from tfrobust.losses import Bregman
from tfrobust.methods import ADV, GAIRAT, MART
from tfrobust.ops.schedules import Schedule
from tfrobust.recipes.common import add_defaults, get_threat_model, label_attack
from tfrobust.recipes.options import (
    ADVOptions,
    AnyADVOptions,
    MARTOptions,
    NormOrThreatModel,
    Radius,
    Weight,
)


def adv(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 10,
    step_size: float | str | None = None,
    start: Start | None = None,
    divergence: Bregman = Bregman(),
    **options: Unpack[ADVOptions],
) -> ADV:
    """Adversarial training: the cross-entropy at the adversarial images (PGD-AT, FGSM-RS).

    mean over examples of CE(x'), x' found by PGD from a uniform start.

    Use it first: it is the cheapest robust method. With steps=1 watch the validation's robust accuracy for
    catastrophic overfitting.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        threat_model: "Linf", "L2" or "L1"; or a `ThreatModel`.
        epsilon: radius in pixel units of [0, 1], such as "8/255".
        steps: of the attack; 1 is FGSM-RS, one step of 1.25 radii.
        step_size: in pixel units; a quarter of the radius by default, 15/128 of it in L2.
        start: of the attack, such as `attacks.Uniform(clip=False)`; uniform in the ball by default.
        divergence: `Bregman(SquaredNorm())` trains and attacks by squared errors, as in SCORE.
        **options: of `methods.ADV`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.ADV`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.adv(models.digits_cnn(), "Linf", "8/255").attack.steps
    10

    References: Madry et al., 2018; with one step Wong, Rice, Kolter, "Fast is better than free", 2020.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = label_attack(threat_model, divergence, steps=steps, step_size=step_size, start=start)
    settings = add_defaults(threat_model, options)
    return ADV(classifier, attack, divergence=divergence, **settings)


def gairat(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 10,
    step_size: float | str | None = None,
    burn_in: float = 59,
    offset: float | Schedule = -1.0,
    weighting: str = "tanh",
    **options: Unpack[AnyADVOptions],
) -> GAIRAT:
    """GAIRAT: adversarial training in which examples near the decision boundary weigh more.

    mean over examples of w CE(x'), w larger the sooner the attack fools the example, of mean 1.

    Use it to reproduce its papers: its robust accuracy under AutoAttack is far below that under PGD.

    Args:
        classifier, threat_model, epsilon, steps, step_size: as for `adv`.
        burn_in: epochs before the weights set in; 59 of 120 in the reference code, which counts from 1.
        offset, weighting: see `methods.GAIRAT`.
        **options: of `methods.GAIRAT`.

    Returns:
        A `methods.GAIRAT`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.gairat(models.digits_cnn(), "Linf", "8/255", burn_in=30).burn_in
    30.0

    Reference: Zhang et al., "Geometry-aware Instance-reweighted Adversarial Training", 2021.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    return GAIRAT(
        classifier,
        label_attack(threat_model, steps=steps, step_size=step_size),
        burn_in=burn_in,
        offset=offset,
        weighting=weighting,
        **add_defaults(threat_model, options),
    )


def mart(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 10,
    step_size: float | str | None = None,
    beta: Weight = 5.0,
    **options: Unpack[MARTOptions],
) -> MART:
    """MART: misclassified examples count more.

    mean over examples of -log p_y(x') - log(1 - max p_wrong(x')) + beta (1 - p_y(x)) KL(p(x), p(x'))

    Use it as a baseline; its accuracy under AutoAttack is lower than PGD lets expect.

    Args:
        classifier, threat_model, epsilon, steps, step_size: as for `adv`; the start is the clean image plus
            normal noise of 0.001.
        beta: weight of the divergence, at least 0: 5 for ResNet-18, 6 for WRN-34-10.
        **options: of `methods.MART`.

    Returns:
        A `methods.MART`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.mart(models.digits_cnn(), "Linf", "8/255").beta
    5.0

    Reference: Wang et al., "Improving Adversarial Robustness Requires Revisiting Misclassified Examples",
    2020.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = label_attack(threat_model, steps=steps, step_size=step_size, start=Gaussian(0.001))
    return MART(classifier, attack, beta=beta, **add_defaults(threat_model, options))
