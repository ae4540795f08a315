"""Which names a gin file may use without being trusted: those that can build a run and do nothing else.

gin imports the modules and calls the functions that a file names, so that a file from a stranger is a
program of his. What the rooms of tfrobust offer, and Keras's optimizers and their like, are free.
"""

import importlib
import inspect
import pathlib
from collections.abc import Callable, Sequence

import gin
import keras

from tfrobust.compat import gin_bindings, gin_configurable
from tfrobust.config.text import GinText
from tfrobust.errors import UserError

ROOMS = (
    "attacks",
    "data",
    "evaluation",
    "losses",
    "methods",
    "models",
    "recipes",
    "regularizers",
    "threat_models",
    "training",
    "weights",
)
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


def check_names(paths: Sequence[str], bindings: Sequence[str], found: Callable[[str], str]) -> None:
    """Refuses gin that names anything else; nothing that it names is imported or run for it.

    Args:
        paths: of gin files.
        bindings: lines of gin.
        found: function from the name of an included file to its path; raises `UserError` if there is none.

    Raises:
        UserError: says which file names what.
    """
    for path in paths:
        _check_file(pathlib.Path(path), found, set())
    if bindings:
        _check_text("\n".join(bindings), "--gin_bindings", found, set())


def check_objects() -> None:
    """Refuses what gin has parsed if it would call anything else; for names that only gin can resolve.

    Raises:
        UserError: says what.
    """
    configurables = [gin_configurable(selector) for _, selector in gin_bindings()]
    configurables += [r.configurable for r in gin.config.iterate_references(gin_bindings())]
    foreign = {c.selector for c in configurables if not _is_free(c.wrapped)}
    if foreign:
        raise UserError(_format_refusal("The configuration", sorted(foreign)))


def _check_file(path, found, seen):
    if path in seen:
        return
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a gin file: {error}.") from error
    _check_text(text, path, found, seen | {path})


def _check_text(text, where, found, seen):
    # Also of a text that is not gin, since gin runs what stands before the place where it notices.
    parsed = GinText(text)
    foreign = [s.format() for s in parsed.imports if not _is_known(s.module)]
    foreign += [f"@{name}" for name in parsed.names if not _is_free_name(name)]
    if foreign:
        raise UserError(_format_refusal(where, foreign))
    for name in parsed.includes:
        _check_file(pathlib.Path(found(name)), found, seen)


def _format_refusal(where, names):
    return (
        f"{where} names what is not of tfrobust: {', '.join(names)}. Whoever runs it runs that code. Read "
        "it, and give --trust if you would run it."
    )


def _is_known(module):
    return module.split(".")[0] in ("tfrobust", "keras")


def _is_free_name(name):
    if not _is_known(name):
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
        if inspect.ismodule(value) and not _is_known(value.__name__):
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
