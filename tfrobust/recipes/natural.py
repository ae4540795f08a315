"""Recipes that see no adversarial image in training."""

from typing import Unpack

import keras

from tfrobust.losses import Bregman
from tfrobust.methods import Natural
from tfrobust.ops.schedules import check_schedule
from tfrobust.recipes.common import add_defaults, add_regularizer, get_threat_model
from tfrobust.recipes.options import (
    JacobianOptions,
    NaturalOptions,
    NormOrThreatModel,
    Radius,
    Weight,
)
from tfrobust.regularizers import Curvature, Jacobian


def natural(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    divergence: Bregman = Bregman(),
    **options: Unpack[NaturalOptions],
) -> Natural:
    """Natural training: the cross-entropy at the clean images.

    Use it as the baseline of every table.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        threat_model: "Linf", "L2" or "L1"; or a `ThreatModel`. Only validation attacks in it.
        epsilon: radius in pixel units of [0, 1], such as "8/255".
        divergence: `Bregman`; `Bregman(SquaredNorm())` trains on squared errors.
        **options: of `methods.Natural`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.Natural`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.natural(models.digits_cnn(), "Linf", 0.15)
    >>> method.compile("sgd")
    """
    settings = add_defaults(get_threat_model(threat_model, epsilon), options)
    return Natural(classifier, divergence=divergence, **settings)


def jac(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    alpha: Weight = 0.5,
    projections: int = 1,
    kind: str = "sphere",
    **options: Unpack[JacobianOptions],
) -> Natural:
    """Zero-step JAC: the cross-entropy and the Jacobian's norm at the clean images, no attack.

    mean over examples of CE(x) + alpha * || dz/dx ||_F^2, the norm estimated by random projections.

    Use it where no attack is affordable, and as the zero-step baseline of ATLAS. It is robust to small
    perturbations only.

    Args:
        classifier: as for `natural`; its BatchNormalization must be
            `tfrobust.models.BatchNormalization`, since Keras's own differentiates wrongly here.
        threat_model, epsilon: as for `natural`.
        alpha: weight of the norm, at least 0, or a `Schedule`. The paper's 0.5 here and 1e-5 to 2e-4 for
            ATLAS are not explained by the formula: choose it on validation data.
        projections, kind: see `regularizers.Jacobian`.
        **options: of `methods.Natural`.

    Returns:
        A `methods.Natural` with a `regularizers.Jacobian`.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.jac(models.digits_cnn(), "Linf", 0.15, alpha=0.06)
    >>> method.regularizers[0].weight
    0.06

    References: Hoffman et al., "Robust learning with Jacobian regularization", 2019; the baseline of Lu
    and Kumar, ATLAS. Whether that paper has half the norm, and in which space, is not stated: here the
    whole norm, pixels in [0, 1], in training mode.
    """
    alpha = check_schedule(alpha, "alpha", 0.0)
    jacobian = Jacobian(alpha, "clean", projections, kind)
    return natural(classifier, threat_model, epsilon, **add_regularizer(jacobian, options))


def cure(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    gamma: Weight = 4.0,
    h: Weight = 1.5,
    power: int = 2,
    statistics: str = "running",
    **options: Unpack[JacobianOptions],
) -> Natural:
    """CURE: the cross-entropy and how much its input gradient changes along its own sign.

    mean over examples of CE(x) + gamma * || grad CE(x + h v) - grad CE(x) ||^power

    Use it to fine-tune a trained classifier with a small learning rate, without any attack.

    Args:
        classifier: as for `jac`.
        threat_model, epsilon: as for `natural`.
        gamma: weight, at least 0, or a `Schedule` that begins at 0.
        h: length of the step in pixel units of the Euclidean norm, above 0, or a `Schedule`.
        power, statistics: see `regularizers.Curvature`.
        **options: of `methods.Natural`.

    Returns:
        A `methods.Natural` with a `regularizers.Curvature`.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.cure(models.digits_cnn(activation="softplus"), "Linf", 0.15)
    >>> type(method).__name__
    'Natural'

    Reference: Moosavi-Dezfooli et al., "Robustness via Curvature Regularization, and Vice Versa", 2019.
    """
    gamma = check_schedule(gamma, "gamma", 0.0)
    curvature = Curvature(gamma, h=h, power=power, statistics=statistics)
    return natural(classifier, threat_model, epsilon, **add_regularizer(curvature, options))
