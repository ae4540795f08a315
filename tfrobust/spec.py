"""Values: parts of a method that are frozen, comparable, printable and serialisable."""

import dataclasses
from typing import Any, Self, TypeVar

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
    serialisation.
    """

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

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


def _list_fields(value: Any) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(value)


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
