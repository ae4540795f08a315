"""The data of `fit` and its kin, looked at before any work is done; every step looks again."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.ops.datasets import without_autotune
from tfrobust.ops.logits import is_soft


def look_at(
    method: Any, x: Any, y: Any = None, check_labels: Callable[[Any, Any, Any], None] | None = None
) -> Any:
    """`x` in a form that Keras takes, after a look at it.

    Args:
        method: `ClassifierWrapper`.
        x, y: as `fit` takes them.
        check_labels: `check_training_labels` or `check_judged_labels`; None where none are needed.
    """
    contract.check_arrays(method.classifier, x, y)
    x = contract.as_pairs(x, method.classifier, labels=check_labels is not None)
    if check_labels is not None:
        check_labels(method, x, y)
    return without_autotune(x)


def look_at_validation(method: Any, data: Any) -> Any:
    """What `fit` takes as `validation_data`, after a look at it."""
    if data is None:
        return None
    x, *rest = data if isinstance(data, (tuple, list)) else (data,)
    x = look_at(method, x, rest[0] if rest else None, check_judged_labels)
    return (x, *rest) if rest else x


def check_training_labels(method: Any, x: Any, y: Any = None) -> None:
    """Refuses soft labels where the method, a regularizer or its attack needs one class.

    Args:
        method: `AdversarialModel`.
        x, y: as `fit` takes them.

    Raises:
        UserError: names the part, and what of it needs a class.
    """
    if contract.has_soft_labels(x, y):
        check_soft_labels(method)


def check_class_weight(x: Any, y: Any, class_weight: dict[int, float] | None) -> None:
    """Refuses the weights of classes for soft labels, whose likeliest class Keras would silently take."""
    if class_weight is not None and contract.has_soft_labels(x, y):
        raise UserError(
            "`class_weight` belongs to one class for each image, and soft labels have shares of several. "
            "Give sample_weight, such as the weight that a label expects: numpy.matmul(y, weights)."
        )


def check_judged_labels(method: Any, x: Any, y: Any = None) -> None:
    """Refuses soft labels for `evaluate` and validation where `eval_attack` needs one class.

    Args:
        method: `AdversarialModel`.
        x, y: as `evaluate` takes them.
    """
    if method.eval_attack is not None and contract.has_soft_labels(x, y):
        method.eval_attack.check_soft_labels()


def check_labels_of_step(method: Any, y: tf.Tensor) -> None:
    """The same for a batch of a training step, for whoever does not call `fit`."""
    if is_soft(y):
        check_soft_labels(method)


def check_soft_labels(method: Any) -> None:
    """Raises `UserError` if a part of a method, or its attack, needs one class for each image."""
    for part in (method, *method.regularizers):
        contract.check_takes_soft_labels(part)
    if method.attack is not None:
        method.attack.check_soft_labels()
