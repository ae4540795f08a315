"""The settings of a method are the arguments of its constructor."""

import inspect
from typing import Any, ClassVar, Self

import keras

from tfrobust.errors import UserError
from tfrobust.regularizers.base import Regularizer
from tfrobust.spec import Spec, as_config
from tfrobust.weights.base import WeightPerturbation


class Settings:
    """Reads a constructor's signature, once for each class, and makes `get_config` of it.

    Each argument is kept as the attribute of its name. A constructor that hands `**kwargs` to that of
    its base has the base's keyword arguments too: `help` and `inspect.signature` show them.

    Attributes:
        settings: tuple of the names of the constructor's arguments, without `name`.
    """

    name: str  # Keras's.
    settings: ClassVar[tuple[str, ...]] = ()
    # What `compile` was given.
    accumulation_steps: int = 1
    rematerialize: Any = False
    segments: Any = None
    gradient_norm: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        constructor = vars(cls).get("__init__")
        if constructor is not None:
            # Where Python itself looks for it.
            constructor.__signature__ = _whole_signature(constructor, super(cls, cls).__init__)
        _, *parameters = inspect.signature(cls.__init__).parameters
        cls.settings = tuple(name for name in parameters if name != "name")

    def describe(self) -> str:
        """A few words for people: the method's name and those of what is added to it, "TRADES + MER"."""
        names = [type(self).__name__]
        names += [part.short_name or type(part).__name__ for part in self.list_additions()]
        return " + ".join(dict.fromkeys(names))

    def list_additions(self) -> list[Spec]:
        """The regularizers and weight perturbations that the constructor was given."""
        given: list[Any] = []
        for name in self.settings:
            value = getattr(self, name)
            given += value if isinstance(value, (list, tuple)) else [value]
        return [part for part in given if isinstance(part, (Regularizer, WeightPerturbation))]

    def get_config(self) -> dict[str, Any]:
        """The name, and each setting as Keras serialises it."""
        config = {"name": self.name}
        for name in self.settings:
            try:
                value = getattr(self, name)
            except AttributeError:
                raise UserError(
                    f"{type(self).__name__} cannot be saved: its constructor takes `{name}`, and there is no "
                    f"attribute of that name. Keep the argument: self.{name} = {name}."
                ) from None
            config[name] = keras.saving.serialize_keras_object(as_config(value))
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The method that `get_config` described, with its classifier's weights as yet unknown."""
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def get_compile_config(self) -> dict[str, Any]:
        """As Keras's, with the arguments of `compile` that Keras does not know; empty before `compile`."""
        given = super().get_compile_config()  # type: ignore[misc]
        if not given:
            return given
        where = self.rematerialize
        where = where if isinstance(where, bool) else list(where)
        own = {"accumulation_steps": self.accumulation_steps, "rematerialize": where}
        own["gradient_norm"] = self.gradient_norm
        return {**given, **own}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as `get_compile_config` has described."""
        config = keras.saving.deserialize_keras_object(config)
        self.compile(**{k: v for k, v in config.items() if v is not None})  # type: ignore[attr-defined]
        if self.built:  # type: ignore[attr-defined]
            self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]


def _whole_signature(constructor, of_base):
    """The signature of a constructor, with what its base takes in place of `**kwargs`."""
    signature = inspect.signature(constructor)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    if len(own) == len(signature.parameters):
        return signature
    names = [parameter.name for parameter in own]
    base = inspect.signature(of_base).parameters.values()
    handed_on = [p for p in base if p.kind is p.KEYWORD_ONLY and p.name not in names]
    return signature.replace(parameters=[*own, *handed_on])
