"""Recipes for randomised smoothing: classifiers whose votes under Gaussian noise can be certified."""

from typing import Unpack

import keras

from tfrobust.attacks.starts import Start
from tfrobust.losses import Bregman
from tfrobust.methods import GaussianNoise, SmoothAdv
from tfrobust.recipes.common import add_defaults, get_threat_model, label_attack, make_ramp
from tfrobust.recipes.options import MethodOptions, NaturalOptions, NormOrThreatModel, Radius


def gaussian_noise(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    sigma: float = 0.25,
    divergence: Bregman = Bregman(),
    **options: Unpack[NaturalOptions],
) -> GaussianNoise:
    """Training with Gaussian noise: the cross-entropy at one noisy copy of each image, no attack.

    mean over examples of CE(x + n), n ~ sigma * N(0, I), not cut to [0, 1].

    Use it for a classifier that `certify(..., "smoothing")` is to certify: the cheapest one, at the cost of
    natural training.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k); it sees pixels outside of
            [0, 1], too.
        threat_model: "L2", which smoothing certifies; or a `ThreatModel`. Only validation attacks in it.
        epsilon: radius in pixel units of [0, 1].
        sigma: standard deviation of the noise, at least 0, that of the certificate. No radius above about
            4 sigma can be certified; a larger sigma costs accuracy.
        divergence: `Bregman(SquaredNorm())` trains on squared errors.
        **options: of `methods.GaussianNoise`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.GaussianNoise`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.gaussian_noise(models.digits_cnn(), "L2", 0.25, sigma=0.5).sigma
    0.5

    Reference: Cohen, Rosenfeld and Kolter, "Certified Adversarial Robustness via Randomized Smoothing",
    2019: sigma 0.12, 0.25, 0.5 and 1 on CIFAR-10.
    """
    settings = add_defaults(get_threat_model(threat_model, epsilon), options)
    return GaussianNoise(classifier, sigma=sigma, divergence=divergence, **settings)


def smooth_adv(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    sigma: float = 0.25,
    samples: int = 2,
    steps: int = 10,
    step_size: float | str | None = None,
    start: Start | None = None,
    ramp_epochs: float = 10,
    divergence: Bregman = Bregman(),
    **options: Unpack[MethodOptions],
) -> SmoothAdv:
    """SmoothAdv-PGD: adversarial training against the smoothed classifier.

    mean over examples and noises of CE(x' + n_j), x' found by PGD on
    -log of the mean over j of p_y(x' + n_j).

    Use it as `gaussian_noise`, where larger radii are worth `samples` * (`steps` + 1) times its cost.

    Args:
        classifier: as for `gaussian_noise`.
        threat_model: "L2", which smoothing certifies; or a `ThreatModel`.
        epsilon: radius of the attack in pixel units of [0, 1].
        sigma: standard deviation of the noise, at least 0, that of the certificate.
        samples: noises of each image in a step (m), at least 1; 1 to 8 in the paper.
        steps, start: as for `adv`.
        step_size: in pixel units; 15/128 of the radius by default in L2.
        ramp_epochs: epochs in which the radius grows to epsilon; 10 in the paper.
        divergence: `Bregman(SquaredNorm())` trains and attacks by squared errors.
        **options: of `methods.SmoothAdv`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.SmoothAdv`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.smooth_adv(models.digits_cnn(), "L2", 0.25, samples=4).scale
    LinearRamp(epochs=10, begin=0.0, end=1.0, after=0.0)

    Reference: Salman et al., "Provably Robust Deep Learning via Adversarially Trained Smoothed Classifiers",
    2019. There a step is two radii divided by the number of steps.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = label_attack(threat_model, divergence, steps=steps, step_size=step_size, start=start)
    settings = add_defaults(threat_model, options)
    settings.setdefault("scale", make_ramp(1.0, ramp_epochs))
    return SmoothAdv(
        classifier, attack, sigma=sigma, samples=samples, divergence=divergence, **settings
    )
