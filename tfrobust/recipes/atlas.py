"""ATLAS, whole and in its two halves, and what it is compared with."""

from typing import Unpack

import keras

from tfrobust.attacks.starts import Start
from tfrobust.methods import ATLAS, TRADES
from tfrobust.ops.numbers import number
from tfrobust.recipes.common import (
    add_defaults,
    add_regularizer,
    get_threat_model,
    label_attack,
    make_ramp,
)
from tfrobust.recipes.options import (
    ATLASHalfOptions,
    ATLASOptions,
    NormOrThreatModel,
    Radius,
    TradesJacOptions,
    Weight,
)
from tfrobust.recipes.trades import trades
from tfrobust.regularizers import Jacobian


def atlas(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 1,
    step_size: float | str | None = None,
    start: Start | None = None,
    alpha: Weight = 0.0002,
    beta: Weight = 5.0,
    ramp_epochs: float = 15,
    **options: Unpack[ATLASOptions],
) -> ATLAS:
    """ATLAS: adversarial training with a locally linear and a locally flat classifier.

    mean over examples of CE(x') + s * (alpha * || dz/dx(x') ||_F^2 + beta * KL(p(x'), p(x)))

    with s the ramp of epsilon, along which alpha and beta grow.

    Use it for one-step training that does not overfit to its step.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k); its BatchNormalization must
            be `tfrobust.models.BatchNormalization`, since Keras's own differentiates wrongly here.
        threat_model: "Linf", "L2" or "L1"; or a `ThreatModel`.
        epsilon: radius in pixel units of [0, 1], such as "8/255".
        steps: of the attack; 1 is FGSM-RS, one step of 1.25 radii.
        step_size: in pixel units; a quarter of the radius by default, 15/128 of it in L2.
        start: of the attack, such as `attacks.Uniform(clip=False)`; uniform in the ball by default.
        alpha: weight of the Jacobian's norm, at least 0, or a `Schedule`. CIFAR: 2e-4 with one step, 1e-4
            with ten; MNIST: 1e-5, with twenty 5e-6.
        beta: weight of the divergence, at least 0, or a `Schedule`. CIFAR: 5 (CIFAR-100 with ten steps 10);
            MNIST: 0.3, with twenty steps 0.2.
        ramp_epochs: epochs in which epsilon, alpha and beta grow from 0; 0 for none.
        **options: of `methods.ATLAS`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.ATLAS`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.atlas(models.digits_cnn(), "Linf", 0.15, alpha=3e-3, beta=1.0)
    >>> method.attack.steps
    1

    Reference: Lu and Kumar, ATLAS.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    return ATLAS(
        classifier,
        label_attack(threat_model, steps=steps, step_size=step_size, start=start),
        alpha=alpha,
        beta=beta,
        **{"scale": make_ramp(1.0, ramp_epochs), **add_defaults(threat_model, options)},
    )


def atlas_l(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    alpha: Weight = 0.0002,
    **options: Unpack[ATLASHalfOptions],
) -> ATLAS:
    """ATLAS-l: ATLAS with the Jacobian's norm alone (beta = 0), its ablation.

    Args:
        classifier, threat_model, epsilon, alpha: as for `atlas`.
        **options: of `atlas`, but beta.

    Returns:
        A `methods.ATLAS`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.atlas_l(models.digits_cnn(), "Linf", 0.15).beta
    0.0

    Reference: Lu and Kumar, ATLAS.
    """
    return atlas(classifier, threat_model, epsilon, alpha=alpha, beta=0.0, **options)


def atlas_g(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    beta: Weight = 5.0,
    **options: Unpack[ATLASHalfOptions],
) -> ATLAS:
    """ATLAS-g: ATLAS with the divergence alone (alpha = 0), its ablation. With one step it overfits.

    Args:
        classifier, threat_model, epsilon, beta: as for `atlas`.
        **options: of `atlas`, but alpha.

    Returns:
        A `methods.ATLAS`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.atlas_g(models.digits_cnn(), "Linf", 0.15).alpha
    0.0

    Reference: Lu and Kumar, ATLAS.
    """
    return atlas(classifier, threat_model, epsilon, alpha=0.0, beta=beta, **options)


def trades_jac(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 1,
    alpha: float = 0.0002,
    beta: float = 0.5,
    ramp_epochs: float = 15,
    projections: int = 1,
    kind: str = "sphere",
    **options: Unpack[TradesJacOptions],
) -> TRADES:
    """TradesJac: one-step TRADES with a small Jacobian at the clean images.

    mean over examples of CE(x) + s * (alpha * || dz/dx(x) ||_F^2 + beta * KL(p(x), p(x')))

    with s the ramp of epsilon, along which alpha and beta grow.

    Use it to see what of ATLAS is the Jacobian's norm: it keeps one-step TRADES from overfitting to its
    step.

    Args:
        classifier: as for `trades`; its BatchNormalization must be `tfrobust.models.BatchNormalization`,
            since Keras's own differentiates wrongly here.
        threat_model, epsilon, steps: as for `trades`.
        alpha, beta: weights of the norm and of the divergence, numbers of at least 0.
        ramp_epochs: epochs in which epsilon, alpha and beta grow from 0; 0 for none.
        projections, kind: see `regularizers.Jacobian`.
        **options: of `trades`.

    Returns:
        A `methods.TRADES` with a `regularizers.Jacobian`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.trades_jac(models.digits_cnn(), "Linf", 0.15).scale
    LinearRamp(epochs=15, begin=0.0, end=1.0, after=0.0)

    Reference: Lu and Kumar, ATLAS, appendix D. Whether the paper's ramp scales alpha and beta is not
    stated; here it does.
    """
    alpha, beta = number(alpha, "alpha", 0.0), number(beta, "beta", 0.0)
    jacobian = Jacobian(make_ramp(alpha, ramp_epochs), "clean", projections, kind)
    return trades(
        classifier,
        threat_model,
        epsilon,
        steps=steps,
        beta=make_ramp(beta, ramp_epochs),
        scale=make_ramp(1.0, ramp_epochs),
        **add_regularizer(jacobian, options),
    )
