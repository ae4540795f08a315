"""What may share a compiled function: values that are equal for sure; all others are themselves only."""

import dataclasses
import json
import re
import types
from typing import Any

import keras
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.ops.layers import layers_and_operations

_KNOWN = ("keras", "tfrobust", "tensorflow")
_PLAIN = (bool, int, float, str, bytes, type(None))
# Layers of Keras that call what somebody else wrote.
_FOREIGN = (keras.layers.Lambda, keras.layers.TFSMLayer)


class Same:
    """An object as a key: equal to itself alone. It is kept alive, so that no other one takes its place."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def describe_value(value: Any) -> Any:
    """A key that two values share if they are settings of this library and equal, or one object.

    Example:
    >>> from tfrobust.evaluation.compiled.sameness import describe_value
    >>> one, two = (describe_value(tfrobust.PGD(tfrobust.Linf("8/255"), steps=5)) for _ in range(2))
    >>> one == two, describe_value(1) == describe_value(True)
    (True, False)
    """
    if type(value) in (*_PLAIN, complex) or isinstance(value, float):
        # Not 1 for True, nor 0.0 for -0.0.
        return type(value), repr(value), float(value) if isinstance(value, float) else value
    if isinstance(value, tuple):
        return type(value), *(describe_value(part) for part in value)
    if dataclasses.is_dataclass(value) and _is_known(type(value)):
        fields = dataclasses.fields(value)
        return type(value), *(describe_value(getattr(value, field.name)) for field in fields)
    return Same(value)


def describe_attack(attack: Attack) -> Any:
    """A key of an attack, as `describe_value`; None for one on models of its own, which nothing describes."""
    return None if attack.source_models else describe_value(attack)


def is_plain(attack: Attack) -> bool:
    """Whether an attack is of this library, down to its settings, and needs no other model."""
    return describe_attack(attack) is not None and not _holds_objects(describe_attack(attack))


def _holds_objects(description):
    parts = description if isinstance(description, tuple) else ()
    return isinstance(description, Same) or any(_holds_objects(part) for part in parts)


def describe_architecture(model: Any) -> str | None:
    """All settings of a Keras model that is made of layers of Keras and of this library; None for others.

    Layers of others may do anything that their settings don't tell.

    Args:
        model: whatever is evaluated.
    """
    if not isinstance(model, keras.Model):
        return None
    for layer in layers_and_operations(model):
        known = _is_known(type(layer)) and not isinstance(layer, _FOREIGN)
        if not known or not all(_is_own(value) for value in vars(layer).values()):
            return None
    try:
        config = {**keras.saving.serialize_keras_object(model)["config"], "name": ""}
        settings = json.dumps(config, sort_keys=True)
    except (NotImplementedError, TypeError, ValueError):
        return None
    kinds = [type(layer).__qualname__ for layer in layers_and_operations(model)]
    # Keras numbers the layers of one process: conv2d, conv2d_1, ...
    return re.sub(r'_\d+"', '"', settings) + str(kinds)


def _is_own(value):
    """Whether an attribute of a layer is no code of somebody else."""
    code = types.FunctionType, types.MethodType, type, tf.types.experimental.GenericFunction
    return not isinstance(value, code) or _is_known(value)


def _is_known(code):
    module = getattr(code, "__module__", None) or ""
    return module.partition(".")[0] in _KNOWN
