"""Names that were classes and are compositions: they still work, and say what they are called now."""

import warnings
from typing import Unpack

import keras

from tfrobust.attacks import Attack
from tfrobust.methods import TRADES, Natural
from tfrobust.recipes.common import add_regularizer
from tfrobust.recipes.options import AnyTRADESOptions, JacobianOptions, Weight
from tfrobust.regularizers import Jacobian


def JAC(  # noqa: N802
    classifier: keras.Model,
    *,
    alpha: Weight = 0.5,
    projections: int = 1,
    kind: str = "sphere",
    **options: Unpack[JacobianOptions],
) -> Natural:
    """`Natural` with a `Jacobian`: use `recipes.jac`."""
    _warn("JAC", "recipes.jac(classifier, 'Linf', '8/255', alpha=...)")
    jacobian = Jacobian(alpha, "clean", projections, kind)
    return Natural(classifier, **add_regularizer(jacobian, options))


def TradesJac(  # noqa: N802
    classifier: keras.Model,
    attack: Attack,
    *,
    alpha: Weight = 0.0002,
    beta: Weight = 0.5,
    projections: int = 1,
    kind: str = "sphere",
    **options: Unpack[AnyTRADESOptions],
) -> TRADES:
    """`TRADES` with a `Jacobian`: use `recipes.trades_jac`, which ramps both along with epsilon."""
    _warn("TradesJac", "recipes.trades_jac(classifier, 'Linf', '8/255', alpha=..., beta=...)")
    jacobian = Jacobian(alpha, "clean", projections, kind)
    return TRADES(classifier, attack, beta=beta, **add_regularizer(jacobian, options))


def _warn(name, now):
    text = f"tfrobust.{name} is a composition of other parts: use tfrobust.{now}."
    warnings.warn(text, DeprecationWarning, stacklevel=3)
