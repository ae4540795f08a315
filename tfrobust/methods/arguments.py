"""What the constructor of a method refuses."""

import itertools
from collections.abc import Sequence

import keras

from tfrobust.errors import UserError
from tfrobust.methods.attacked_model import ATTACK_STATISTICS
from tfrobust.methods.second_derivatives import check_second_derivatives
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import check_kind
from tfrobust.weights.base import WeightPerturbation


def check_weights(
    weight_perturbation: WeightPerturbation | None,
    attack_weights: WeightPerturbation | None,
    attack_statistics: str,
) -> None:
    """The points in weight space, and how BatchNormalization normalises during the attack."""
    check_kind("weight_perturbation", weight_perturbation, WeightPerturbation, optional=True)
    check_kind("attack_weights", attack_weights, WeightPerturbation, optional=True)
    if attack_statistics not in ATTACK_STATISTICS:
        raise UserError(
            f"`attack_statistics` must be one of {ATTACK_STATISTICS}. "
            f"Received: attack_statistics={attack_statistics!r}."
        )
    if attack_weights is not None and attack_statistics != "running":
        raise UserError(
            "`attack_weights` are attacked in inference mode: leave out either `attack_weights` or "
            f"`attack_statistics`. Received: attack_statistics={attack_statistics!r}."
        )


def check_parts(
    method: keras.Model, classifier: keras.Model, regularizers: Sequence[Regularizer]
) -> bool:
    """The regularizers, and whether the classifier has the derivatives that the loss takes.

    Returns:
        Whether training differentiates twice.
    """
    for regularizer in regularizers:
        check_kind("regularizers", regularizer, Regularizer)
    twice = {part.differentiates_twice for part in (method, *regularizers)} - {False}
    if twice:
        check_second_derivatives(classifier, training=True in twice)
    for regularizer in regularizers:
        regularizer.check_classifier(classifier)
    return bool(twice)


def check_names(
    method: keras.Model, regularizers: Sequence[Regularizer], reported: Sequence[str]
) -> tuple[str, ...]:
    """The names of all numbers per example that a step records, which must differ; a tuple."""
    own = [(regularizer.name, *regularizer.parts) for regularizer in regularizers]
    names = (*method.parts, *itertools.chain(*own))
    if len({*names, *reported}) < len(names) + len(reported):
        raise UserError(
            f"Parts of the loss need different names, and none of {reported}. Received: {names}."
        )
    return names
