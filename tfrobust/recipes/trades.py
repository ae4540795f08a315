"""TRADES, and what changes one part of it."""

from collections.abc import Mapping
from typing import Any, Unpack

import keras

from tfrobust.attacks.starts import Start
from tfrobust.losses import Bregman, LossClipping, SquaredNorm
from tfrobust.methods import TRADES
from tfrobust.ops.numbers import integer, number
from tfrobust.ops.schedules import Steps, check_schedule
from tfrobust.recipes.common import (
    add_defaults,
    add_regularizer,
    divergence_attack,
    get_threat_model,
)
from tfrobust.recipes.options import (
    AWPOptions,
    EntropyOptions,
    NormOrThreatModel,
    Radius,
    SCOREOptions,
    TRADESOptions,
    Weight,
)
from tfrobust.regularizers import MaximalEntropy
from tfrobust.weights import AWP


def trades(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    steps: int = 10,
    step_size: float | str | None = None,
    start: Start | None = None,
    beta: Weight = 6.0,
    divergence: Bregman = Bregman(),
    **options: Unpack[TRADESOptions],
) -> TRADES:
    """TRADES: accuracy at the clean image, the same prediction all around it.

    mean over examples of CE(x) + beta * KL(p(x), p(x')), x' found by PGD on the divergence.

    Use it when clean accuracy matters too: beta trades one for the other.

    Args:
        classifier: Keras model, images (b, h, w, c) in [0, 1] to logits (b, k).
        threat_model: "Linf", "L2" or "L1"; or a `ThreatModel`.
        epsilon: radius in pixel units of [0, 1], such as "8/255".
        steps: of the attack; 1 is one step of 1.25 radii from a uniform start.
        step_size: in pixel units; a quarter of the radius by default, 15/128 of it in L2.
        start: of the attack, such as `attacks.Uniform(clip=False)`; by default the image plus a little normal
            noise, for one step uniform in the ball.
        beta: weight of the divergence, at least 0, or a `Schedule`; 1 on MNIST.
        divergence: `Bregman` of loss and attack; `Bregman(SquaredNorm())` gives squared errors.
        **options: of `methods.TRADES`; `eval_attack` is PGD-10 unless given.

    Returns:
        A `methods.TRADES`, to be compiled.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.trades(models.digits_cnn(), "Linf", 0.15, beta=3.0)
    >>> method.compile("sgd")

    Reference: Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy", 2019.
    """
    threat_model = get_threat_model(threat_model, epsilon)
    attack = divergence_attack(
        threat_model, divergence, steps=steps, step_size=step_size, start=start
    )
    settings = add_defaults(threat_model, options)
    return TRADES(classifier, attack, beta=beta, divergence=divergence, **settings)


def trades_mer(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    beta: Weight = 21.0,
    entropy: Weight = 1.0,
    adversarial_entropy: Weight = 0.0,
    divergence: Bregman = Bregman(),
    **options: Unpack[EntropyOptions],
) -> TRADES:
    """TRADES-MER: TRADES with a large beta, and with predictions that are kept uncertain.

    mean over examples of CE(x) + beta * KL(p(x), p(x')) - entropy * H(p(x)) - adversarial_entropy * H(p(x'))

    Use it for more robustness at the clean accuracy of TRADES. The training cross-entropy stays well above
    zero: that is what the entropy is for.

    Args:
        classifier, threat_model, epsilon, divergence: as for `trades`.
        beta: the paper's lambda; 10 with squared errors.
        entropy, adversarial_entropy: the paper's beta_cle and beta_adv, at least 0.
        **options: of `trades`.

    Returns:
        A `methods.TRADES` with `regularizers.MaximalEntropy`.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.trades_mer(models.digits_cnn(), "Linf", 0.15)
    >>> method.beta, method.regularizers[0].weight
    (21.0, 1.0)

    Reference: "Adversarial robustness from a Bregman view" (arXiv 2208.12511).
    """
    settings = add_entropies(divergence, entropy, adversarial_entropy, options)
    return trades(classifier, threat_model, epsilon, beta=beta, divergence=divergence, **settings)


def add_entropies(
    divergence: Bregman, entropy: Weight, adversarial_entropy: Weight, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a method with the entropies of MER; one of weight 0 is left out."""
    settings = dict(options)
    names = {"adversarial": "adversarial_entropy", "clean": "entropy"}
    for point, weight in (("adversarial", adversarial_entropy), ("clean", entropy)):
        weight = check_schedule(weight, names[point], 0.0)
        if weight != 0.0:
            settings = add_regularizer(MaximalEntropy(weight, point, divergence), settings)
    return settings


def score(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    beta: Weight = 6.0,
    slack: float = 0.3,
    **options: Unpack[SCOREOptions],
) -> TRADES:
    """SCORE: TRADES on squared errors, clipped where a prediction is confident enough.

    mean over examples of max(0, SE(p(x), one-hot(y)) + beta * SE(p(x), p(x')) - tau)

    Use it on long runs without extra data, against robust overfitting.

    Args:
        classifier, threat_model, epsilon: as for `trades`.
        beta: weight of the second squared error, at least 0; 4 in the paper of FAIT.
        slack: c of tau = c^2 k / (k - 1), in (0, 1]; 0 clips nothing.
        **options: of `trades`.

    Returns:
        A `methods.TRADES` with `Bregman(SquaredNorm())`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.score(models.digits_cnn(), "Linf", 0.15).clipping
    LossClipping(slack=0.3, term='total')

    Reference: Pang et al., "Robustness and Accuracy Could Be Reconcilable by (Proper) Definition", 2022.
    """
    slack = number(slack, "slack", 0.0, 1.0)
    return trades(
        classifier,
        threat_model,
        epsilon,
        beta=beta,
        divergence=Bregman(SquaredNorm()),
        clipping=LossClipping(slack) if slack else None,
        **options,
    )


def awp(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    gamma: Weight = 0.005,
    warm_up: int = 9,
    **options: Unpack[AWPOptions],
) -> TRADES:
    """TRADES-AWP: TRADES at the weights that make it worst.

    TRADES at w + v, with || v_l || = gamma || w_l || for every kernel, along its gradient

    Use it against robust overfitting, at the cost of one loss more a step. For other methods give
    `weight_perturbation=AWP(...)` to their recipe; adversarial training takes gamma 1e-2.

    Args:
        classifier, threat_model, epsilon: as for `trades`.
        gamma: relative size of the shift, at least 0; with warm_up=0 a `Schedule`, too.
        warm_up: epochs without it, a whole number; 9 in the reference code.
        **options: of `trades`.

    Returns:
        A `methods.TRADES` with `weights.AWP`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.awp(models.digits_cnn(), "Linf", 0.15, warm_up=0).weight_perturbation
    AWP(gamma=0.005)

    Reference: Wu, Xia, Wang, "Adversarial Weight Perturbation Helps Robust Generalization", 2020.
    """
    if integer(warm_up, "warm_up", 0):
        # A schedule is refused.
        gamma = Steps((warm_up,), (0.0, number(gamma, "gamma", 0.0)))  # type: ignore[arg-type]
    perturbation = AWP(gamma)
    return trades(classifier, threat_model, epsilon, weight_perturbation=perturbation, **options)
