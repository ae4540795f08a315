"""Values: parts of a method that are frozen, comparable, printable and serialisable."""

import dataclasses
from collections.abc import Iterable
from typing import Any, ClassVar, Self, TypeVar

import keras

from tfrobust.errors import UserError
from tfrobust.written import Written as Written

T = TypeVar("T")


def register(cls: type[T]) -> type[T]:
    """Registers a class with Keras under the package name `tfrobust`."""
    return keras.saving.register_keras_serializable(package="tfrobust")(cls)


def as_config(value: Any) -> Any:
    """A setting as values that JSON knows: lists for tuples, written numbers as they were written."""
    if isinstance(value, tuple):
        return [as_config(part) for part in value]
    return str(value) if isinstance(value, Written) else value


class Spec:
    """Base of the frozen dataclasses that methods are put together from.

    A subclass is declared with `@register` and `@dataclasses.dataclass(frozen=True)`. It equals
    another one with the same fields, prints as the call that makes it, and survives Keras's
    serialisation. `describe` says in a few words what it is, for reports.

    Attributes:
        short_name: what the field calls it, where that is not the name of the class.
        untold: names of fields that `describe` leaves out.
    """

    short_name: ClassVar[str] = ""
    untold: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        # JSON has no tuples: a list that comes back from a config is a tuple again.
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        self.check()

    def check(self) -> None:
        """Raises `UserError` if the fields do not make sense. Called by the constructor."""

    def store(self, **fields: Any) -> None:
        """Puts parsed values in the place of fields; for `check`, before anything has seen them."""
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __getstate__(self):
        # What a copy or a pickle holds: the fields, not what was compiled for them on the way.
        return {field.name: getattr(self, field.name) for field in _list_fields(self)}

    def get_config(self) -> dict[str, Any]:
        return {
            field.name: keras.saving.serialize_keras_object(as_config(getattr(self, field.name)))
            for field in _list_fields(self)
        }

    def describe(self) -> str:
        """A few words for people, at most 80 characters: the name, and the settings that are no defaults.

        Example:
        >>> tfrobust.APGD(tfrobust.Linf("8/255"), steps=50).describe(), tfrobust.AWP().describe()
        ('APGD, 50 steps', 'AWP')
        """
        return in_words(self.short_name or type(self).__name__, self.list_settings())

    def list_settings(self, untold: Iterable[str] = ()) -> list[str]:
        """In words, the fields that are not as by default, but for those named here and in `untold`."""
        left_out = {*self.untold, *untold}
        return [
            _tell(field.name, getattr(self, field.name))
            for field in _list_fields(self)
            if field.name not in left_out and getattr(self, field.name) != field.default
        ]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


def _list_fields(value: Any) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(value)


def in_words(name: str, settings: Iterable[str], most: int = 80) -> str:
    """A name and its settings, with commas between; "..." for those that are too long for the room.

    Example:
    >>> in_words("PGD-20", ["20 steps of 0.015"]), in_words("PGD-20", ["20 steps", "a" * 80])
    ('PGD-20, 20 steps of 0.015', 'PGD-20, 20 steps, ...')
    """
    settings = list(settings)
    text = ", ".join([name, *settings])
    if len(text) <= most:
        return text
    text = name
    for setting in settings:
        if len(f"{text}, {setting}, ...") <= most:
            text = f"{text}, {setting}"
    return f"{text}, ..."


def tell_value(value: Any) -> str:
    """A setting's value in words: written numbers as they were written, parts by their own words."""
    if isinstance(value, Spec):
        return value.describe()
    if isinstance(value, (tuple, list)):
        return " and ".join(map(tell_value, value)) or "none"
    if isinstance(value, float) and not isinstance(value, Written):
        return f"{value:g}"
    if isinstance(value, (str, int, float)):
        return str(value)
    return getattr(value, "__name__", type(value).__name__)


def _tell(name, value):
    words = name.replace("_", " ")
    if value is None or value is False:
        return f"no {words}"
    if value is True:
        return words
    if isinstance(value, (int, float)):
        # 20 restarts, but gamma 0.005.
        return (
            f"{tell_value(value)} {words}"
            if words.endswith("s")
            else f"{words} {tell_value(value)}"
        )
    return f"{words} {tell_value(value)}"


def check_kind(name: str, value: Any, kind: type, optional: bool = False) -> None:
    """Raises `UserError` unless `value` is an instance of `kind`, or None where that is allowed."""
    if isinstance(value, kind) or (optional and value is None):
        return
    # The class instead of an instance is what is mistaken most often.
    hint = " Did you forget to call its class?" if isinstance(value, type) else ""
    raise UserError(
        f"`{name}` must be {'None or ' if optional else ''}of kind {kind.__name__}. "
        f"Received: {name}={value!r}.{hint}"
    )


def public_names(namespace: dict[str, Any]) -> list[str]:
    """The classes and functions of this package in a room's namespace: what its `__init__` hands on.

    A new one joins by its import, `from tfrobust.methods.alp import ALP as ALP`. Tests and gin go by
    this list.
    """
    return sorted(
        name
        for name, value in namespace.items()
        if not name.startswith("_")
        and name != "public_names"
        and getattr(value, "__module__", "").startswith("tfrobust.")
    )
