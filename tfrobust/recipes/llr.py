"""LLR, whole and without its second term."""

from typing import Unpack

import keras

from tfrobust.attacks import PGD, Adam
from tfrobust.losses import LinearityError
from tfrobust.methods import LLR
from tfrobust.ops.schedules import Schedule
from tfrobust.recipes.common import add_defaults, get_threat_model, make_ramp
from tfrobust.recipes.options import LLRGammaOptions, LLROptions, NormOrThreatModel, Radius


def llr(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 10,
    step_size: float | str = 0.1,
    lam: float | Schedule = 4.0,
    mu: float | Schedule = 2.0,
    w_nom: float | Schedule = 2.0,
    ramp_epochs: float = 15,
    **options: Unpack[LLROptions],
) -> LLR:
    """LLR: a loss that is linear around every image.

    mean over examples of w_nom * CE(x) + lam * |e(d)| + mu * |d . grad CE(x)|

    with e(d) = CE(x + d) - CE(x) - d . grad CE(x), and d found to make |e| large.

    Use it where attacks are to stay cheap: a few steps suffice.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k), with smooth activations such
            as "softplus"; its BatchNormalization must be `tfrobust.models.BatchNormalization`.
        threat_model: "Linf", "L2" or "L1"; or a `ThreatModel`.
        epsilon: radius in pixel units of [0, 1], such as "8/255".
        steps: of the attack by Adam.
        step_size: learning rate of that Adam, in pixel units.
        lam, mu, w_nom: weights, at least 0, or `Schedule`s; the defaults are those of WRN-28-8 on CIFAR-10.
        ramp_epochs: epochs in which epsilon grows from 0; 0 for none.
        **options: of `methods.LLR`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.LLR`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.llr(models.digits_cnn(activation="softplus"), "Linf", "8/255").mu
    2.0

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = PGD(threat_model, LinearityError(), steps=steps, step_size=step_size, stepper=Adam())
    settings = {"scale": make_ramp(1.0, ramp_epochs), **add_defaults(threat_model, options)}
    return LLR(classifier, attack, lam=lam, mu=mu, w_nom=w_nom, **settings)


def llr_gamma(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    **options: Unpack[LLRGammaOptions],
) -> LLR:
    """LLR by gamma = |e(d)| alone (mu = 0), its ablation.

    Args:
        classifier, threat_model, epsilon: as for `llr`.
        **options: of `llr`, but mu.

    Returns:
        A `methods.LLR`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.llr_gamma(models.digits_cnn(activation="softplus"), "Linf", "8/255").mu
    0.0

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019, supplement.
    """
    return llr(classifier, threat_model, epsilon, mu=0.0, **options)
