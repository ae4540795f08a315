"""RAT: the terms that its paper defines, and what its reference code computes."""

from typing import Any, Unpack

import keras

from tfrobust.methods import ADV, TRADES
from tfrobust.ops.numbers import integer
from tfrobust.ops.schedules import check_schedule
from tfrobust.recipes.adversarial import adv
from tfrobust.recipes.common import add_regularizer
from tfrobust.recipes.options import NormOrThreatModel, Radius, RATADVOptions, RATOptions, Weight
from tfrobust.recipes.trades import trades
from tfrobust.regularizers import GapLabels, TaylorTerms
from tfrobust.weights import WeightNoise

# The paper's eta with one term and with two.
_ETA = {1: 0.3, 2: 0.2}


def rat(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    order: int = 1,
    eta: Weight | None = None,
    form: str = "finite",
    sigma: float = 0.01,
    distribution: Any = None,
    **options: Unpack[RATOptions],
) -> TRADES:
    """RAT, randomised adversarial training by Taylor expansion, on TRADES.

    TRADES + eta * (T1 + T2 / 2), T_n = KL(softmax(a_n(x)), softmax(a_n(x'))), mean over examples

    with a_1 and a_2 the first and second derivatives of the logits along noise u ~ N(0, sigma^2) on the
    weights, at which the attack sees the classifier too; T2 with order 2 only.

    Use it for a flatter loss in weight space. With `weight_perturbation=AWP(5e-3)` it is RAT on
    AWP-TRADES.

    Args:
        classifier, threat_model, epsilon: as for `trades`.
        order: 1, or 2 for the second term as well.
        eta: weight of the terms, at least 0, or a `Schedule`; 0.3 for order 1, 0.2 for order 2 by default.
        form: "finite" for any network; "exact", derivatives by forward mode, for smooth activations;
            "one_sided" for order 1 at half the cost. See `regularizers.TaylorTerms`.
        sigma: standard deviation of the noise.
        distribution: of the noise in units of sigma, see `weights.WeightNoise`; None for the normal one.
        **options: of `trades`.

    Returns:
        A `methods.TRADES` with `regularizers.TaylorTerms` and `weights.WeightNoise`.

    Example:
    >>> from tfrobust import models, recipes
    >>> method = recipes.rat(models.digits_cnn(), "Linf", "8/255", order=2)
    >>> method.regularizers[0].weight
    0.2

    Reference: Jin et al., "Randomized Adversarial Training via Taylor Expansion", 2023, Eq. 8.
    """
    return trades(
        classifier,
        threat_model,
        epsilon,
        **_add_terms(order, eta, form, sigma, distribution, options),
    )


def rat_adv(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    order: int = 2,
    eta: Weight | None = None,
    form: str = "finite",
    sigma: float = 0.01,
    distribution: Any = None,
    **options: Unpack[RATADVOptions],
) -> ADV:
    """RAT on adversarial training in place of TRADES.

    Args:
        classifier, threat_model, epsilon: as for `adv`.
        order, eta, form, sigma, distribution: as for `rat`.
        **options: of `adv`.

    Returns:
        A `methods.ADV` with `regularizers.TaylorTerms` and `weights.WeightNoise`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.rat_adv(models.digits_cnn(), "Linf", "8/255").regularizers[0].order
    2

    Reference: Jin et al., "Randomized Adversarial Training via Taylor Expansion", 2023, Table 8.
    """
    return adv(
        classifier,
        threat_model,
        epsilon,
        **_add_terms(order, eta, form, sigma, distribution, options),
    )


def _add_terms(order, eta, form, sigma, distribution, options):
    integer(order, "order", 1, 2)
    weight = _ETA[order] if eta is None else check_schedule(eta, "eta", 0.0)
    terms = TaylorTerms(weight, order=order, form=form, sigma=sigma, distribution=distribution)
    noise = WeightNoise(sigma, distribution=distribution)
    return add_regularizer(terms, {"attack_weights": noise, **options})


def rat_reference(
    classifier: keras.Model,
    threat_model: NormOrThreatModel,
    epsilon: Radius = None,
    *,
    alpha: Weight = 0.2,
    order: int = 2,
    second_weight: float = 0.5,
    **options: Unpack[RATOptions],
) -> TRADES:
    """RAT as its code computes it: TRADES plus labels that are smoothed by a statistic of the batch.

    Use it to reproduce the published numbers; `rat` is what the paper defines.

    Args:
        classifier: as for `trades`; a Dense layer gives its logits.
        threat_model, epsilon: as for `trades`.
        alpha: the paper's eta, in [0, 1].
        order, second_weight: see `regularizers.GapLabels`.
        **options: of `trades`. With AWP the code has no noise: `attack_weights=None`.

    Returns:
        A `methods.TRADES` with `regularizers.GapLabels`.

    Example:
    >>> from tfrobust import models, recipes
    >>> recipes.rat_reference(models.digits_cnn(), "Linf", "8/255").attack_weights.sigma
    0.0001

    Reference: the code of Jin et al., "Randomized Adversarial Training via Taylor Expansion", 2023.
    """
    alpha = check_schedule(alpha, "alpha", 0.0, 1.0)
    labels = GapLabels(alpha, order=order, second_weight=second_weight)
    noise = WeightNoise(1e-4, parameters="conv_kernels")
    settings = add_regularizer(labels, {"attack_weights": noise, **options})
    return trades(classifier, threat_model, epsilon, **settings)
