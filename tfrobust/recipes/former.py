"""Names that were classes and are compositions: they still work, and say what they are called now."""

import warnings

from tfrobust.methods import TRADES, Natural
from tfrobust.recipes.common import add_regularizer
from tfrobust.regularizers import Jacobian


def JAC(classifier, *, alpha=0.5, projections=1, kind="sphere", **options):  # noqa: N802
    """`Natural` with a `Jacobian`: use `recipes.jac`."""
    _warn("JAC", "recipes.jac(classifier, 'Linf', '8/255', alpha=...)")
    jacobian = Jacobian(alpha, "clean", projections, kind)
    return Natural(classifier, **add_regularizer(jacobian, options))


def TradesJac(  # noqa: N802
    classifier, attack, *, alpha=2e-4, beta=0.5, projections=1, kind="sphere", **options
):
    """`TRADES` with a `Jacobian`: use `recipes.trades_jac`, which ramps both along with epsilon."""
    _warn("TradesJac", "recipes.trades_jac(classifier, 'Linf', '8/255', alpha=..., beta=...)")
    jacobian = Jacobian(alpha, "clean", projections, kind)
    return TRADES(classifier, attack, beta=beta, **add_regularizer(jacobian, options))


def _warn(name, now):
    text = f"tfrobust.{name} is a composition of other parts: use tfrobust.{now}."
    warnings.warn(text, DeprecationWarning, stacklevel=3)
