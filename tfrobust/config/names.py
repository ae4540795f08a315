"""Which names a gin file may use without being trusted: those that can build a run and do nothing else.

gin imports the modules and calls the functions that a file names, so that a file from a stranger is a
program of his. What the rooms of tfrobust offer, and Keras's optimizers and their like, are free.
"""

import importlib
import inspect
from collections.abc import Sequence

import gin
import keras

from tfrobust.compat import gin_bindings, gin_configurable
from tfrobust.config.preview import ROOMS, format_refusal, is_known
from tfrobust.config.text import GinText
from tfrobust.errors import UserError

# Not the functions that evaluate and write: what they may be told is for the user to say.
_OFFERED_OF = {"evaluation": ("custom", "suite", "Suite")}
_KERAS = (
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.callbacks.EarlyStopping,
    keras.callbacks.ReduceLROnPlateau,
    keras.callbacks.TerminateOnNaN,
)


def check_names(texts: Sequence[tuple[str, GinText]]) -> None:
    """Refuses gin that names anything else; nothing that it names is imported or run for it.

    Args:
        texts: what was read, each with where from.

    Raises:
        UserError: says which file names what.
    """
    for where, text in texts:
        foreign = [f"@{name}" for name in text.names if not _is_free_name(name)]
        if foreign:
            raise UserError(format_refusal(where, foreign))


def check_objects() -> None:
    """Refuses what gin has parsed if it would call anything else; for names that only gin can resolve.

    Raises:
        UserError: says what.
    """
    configurables = [gin_configurable(selector) for _, selector in gin_bindings()]
    configurables += [r.configurable for r in gin.config.iterate_references(gin_bindings())]
    foreign = {c.selector for c in configurables if not _is_free(c.wrapped)}
    if foreign:
        raise UserError(format_refusal("The configuration", sorted(foreign)))


def _is_free_name(name):
    if not is_known(name):
        return name.split(".")[0] == "gin"
    value = _resolve(name)
    # What is not there is gin's to tell.
    return value is None or _is_free(value)


def _resolve(name):
    root, *rest = name.split(".")
    value = importlib.import_module(root)
    for part in rest:
        if inspect.ismodule(value) and not hasattr(value, part):
            try:
                importlib.import_module(f"{value.__name__}.{part}")
            except ImportError:
                return None
        value = getattr(value, part, None)
        if inspect.ismodule(value) and not is_known(value.__name__):
            return value
    return value


def _is_free(value):
    if inspect.isclass(value) and value.__module__.startswith("keras."):
        return issubclass(value, _KERAS)
    if value in _list_gins_own():
        return True
    return any(value is offered for offered in _list_offered())


def _list_gins_own():
    return [
        gin_configurable(name).wrapped for name in ("gin.macro", "gin.singleton", "gin.constant")
    ]


def _list_offered():
    for room in (*ROOMS, "ops.schedules"):
        module = importlib.import_module(f"tfrobust.{room}")
        names = _OFFERED_OF.get(room) or getattr(module, "__all__", None)
        if names is None:
            members = vars(module).items()
            names = [n for n, v in members if getattr(v, "__module__", "") == module.__name__]
        yield from (getattr(module, name) for name in names)
