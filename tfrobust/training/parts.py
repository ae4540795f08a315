"""The parts of a run, made by the functions that settings bind."""

import inspect
import pathlib
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfrobust.errors import Interrupted, NotFiniteError, UserError, one_line
from tfrobust.methods.base import AdversarialModel

# Of these the message is for the user, or the caller knows what they mean.
_PASSED_ON = (UserError, Interrupted, NotFiniteError, MemoryError, tf.errors.ResourceExhaustedError)


def make_part(
    name: str,
    function: Callable,
    kind: type | tuple[type, ...] | None,
    *arguments: Any,
    **options: Any,
) -> Any:
    """Calls the function that a setting binds, and checks what it returns.

    Args:
        name: of the setting.
        function: what is bound to it.
        kind: class, or tuple of classes, of which the result must be one; None if the caller checks.
        arguments, options: given to the function.

    Returns:
        What the function returned.

    Raises:
        UserError: it is not a function, it fails, or it returns something else.
    """
    if kind is not None:
        check_function(name, function, kind)
    try:
        result = function(*arguments, **options)
    except _PASSED_ON:
        raise
    except Exception as error:
        raise UserError(
            f"`{name}`: {_name_function(function)} failed. {type(error).__name__}: "
            f"{one_line(error)}{_locate(error)}"
        ) from error
    if kind is not None and not isinstance(result, kind):
        raise UserError(
            f"`{name}` must be a function that returns {_name_kind(kind)}. {_name_function(function)} "
            f"returned {_show(result)}."
        )
    return result


def check_function(name: str, function: Callable, kind: type | tuple[type, ...]) -> None:
    """Raises `UserError` unless a setting binds a function; says what to write in its place."""
    if callable(function) and not isinstance(function, kind):
        return
    hint = " In gin a name without quotes and with @ is a function, such as @training.CoupledSGD."
    if isinstance(function, kind):
        hint = (
            " Leave out the parentheses: in gin @name is the function, @name() is what it returns."
        )
    raise UserError(
        f"`{name}` must be a function that returns {_name_kind(kind)}. Received: {_show(function)}.{hint}"
    )


def check_functions(
    name: str, functions: Sequence[Callable], kind: type | tuple[type, ...]
) -> None:
    """Raises `UserError` unless a setting binds a sequence of functions."""
    if not isinstance(functions, (list, tuple)):
        raise UserError(
            f"`{name}` must be a list of functions that return {_name_kind(kind)}, such as "
            f"[@training.Plateau]. Received: {_show(functions)}."
        )
    for place, function in enumerate(functions):
        check_function(f"{name}[{place}]", function, kind)


def _name_kind(kind):
    if isinstance(kind, tuple):
        return " or ".join(one.__name__ for one in kind)
    room = kind.__module__.split(".")[0]
    name = "keras.Model" if kind.__name__ in ("Model", "Functional") else kind.__name__
    return f"a {name}" if room in ("tfrobust", "keras") else name


def _name_function(function):
    return getattr(function, "__qualname__", type(function).__name__)


def _show(value):
    text = repr(value)
    text = text if len(text) <= 120 else f"{text[:120]} ..."
    return f"{text} (a {type(value).__name__})"


def _locate(error):
    """The place in a file of the user's own, where that is where it failed."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not _is_library(pathlib.Path(frame.filename))
    ]
    return f" (line {own[-1].lineno} of {own[-1].filename})" if own else ""


def _is_library(path):
    ours = pathlib.Path(inspect.getfile(UserError)).parent
    return (
        ours in path.parents or bool({"site-packages", "dist-packages"} & set(path.parts))
    ) or not path.is_file()


def check_takes(method: Callable, settings: dict[str, Any]) -> None:
    """Raises `UserError` for settings of a recipe beside a method's class, whose attack has its own."""
    if not (isinstance(method, type) and issubclass(method, AdversarialModel)):
        return
    # gin puts a class of its own before it, which takes anything.
    kinds: list[Any] = list(method.__mro__)
    taken = {name for kind in kinds for name in inspect.signature(kind.__init__).parameters}
    for name, value in settings.items():
        if name not in taken:
            raise UserError(
                f"`method`: {method.__name__} takes no `{name}`, which is for recipes: the attack of a "
                "method's class has its own. Bind a recipe such as recipes.trades, or "
                f"training.train.{name} = None. Received: {name}={value!r}."
            )
