"""Arguments of a model's function that follow from the data."""

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

import keras

from tfrobust.data.splits import DatasetInfo
from tfrobust.errors import UserError


def follow_data(
    function: Callable, info: DatasetInfo, bound: Collection[str] = ()
) -> dict[str, Any]:
    """The shape of the images and the number of classes, for a function that takes them and has neither.

    Whatever somebody has bound, in gin or by `functools.partial`, stays; a function without these arguments
    is called without them. So every network of `models`, and any of a user's own, fits any data set.

    Args:
        function: the one that returns the classifier.
        info: of the data.
        bound: names of arguments that it has already, as from gin.

    Returns:
        A dict with "input_shape" and "num_classes", or one of them, or none.

    Example:
        >>> from tfrobust.training.followed import follow_data
        >>> info = tfrobust.data.digits().info
        >>> follow_data(tfrobust.models.digits_cnn, info)
        {'input_shape': (8, 8, 1), 'num_classes': 10}
        >>> follow_data(lambda num_classes: None, info)
        {'num_classes': 10}
    """
    known = {"input_shape": info.image_shape, "num_classes": info.num_classes}
    taken, bound = _list_parameters(function), set(bound)
    while isinstance(function, functools.partial):
        bound |= set(function.keywords)
        function = function.func
    return {name: value for name, value in known.items() if name in taken and name not in bound}


def check_follows(classifier: keras.Model, info: DatasetInfo) -> None:
    """Raises `UserError` for a classifier of another shape or number of classes than the data's."""
    taken, given = _shape(classifier, "input_shape"), _shape(classifier, "output_shape")
    pairs = zip(taken[1:], info.image_shape, strict=False)
    if len(taken) == 4 and any(n not in (None, m) for n, m in pairs):
        name, seen, wanted = "input_shape", str(taken[1:]), str(info.image_shape)
    elif len(given) == 2 and given[1] not in (None, 1, info.num_classes):
        name, seen, wanted = "num_classes", str(given[1]), str(info.num_classes)
    else:
        return
    raise UserError(
        f"The classifier has {name}={seen}, and the data {info.name} have {wanted}. A function's "
        f"`{name}` follows the data where nobody binds it: leave it out, or choose the data for which the "
        "classifier was made."
    )


def _shape(classifier, name) -> tuple:
    # A model of several inputs or outputs has a list; one that is not built has none.
    shape = getattr(classifier, name, None)
    return shape if isinstance(shape, tuple) else ()


def _list_parameters(function):
    if isinstance(function, type):
        # gin puts a class of its own before it, which takes anything.
        return {name for kind in function.__mro__ for name in _signature(kind.__init__)}
    return set(_signature(function))


def _signature(function):
    try:
        return inspect.signature(function).parameters
    except ValueError:  # of what is not written in Python
        return {}
