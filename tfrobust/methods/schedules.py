"""Which settings change during training, and how long an epoch is to them."""

import dataclasses
import math
from typing import Any

import keras
import tensorflow as tf

from tfrobust.ops.schedules import Schedule
from tfrobust.spec import Spec


def uses_schedule(value: Any) -> bool:
    """Whether a setting is a `Schedule`, or holds one somewhere inside."""
    if isinstance(value, Schedule):
        return True
    if isinstance(value, Spec):
        return any(uses_schedule(getattr(value, f.name)) for f in dataclasses.fields(value))  # type: ignore[arg-type]
    if isinstance(value, dict):
        return any(uses_schedule(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(uses_schedule(item) for item in value)


def count_steps(
    x: Any, batch_size: int | None, validation_split: float, steps_per_epoch: int | None
) -> int:
    """Steps of an epoch of `fit` with these arguments, 0 where they do not tell."""
    if steps_per_epoch:
        return steps_per_epoch
    if isinstance(x, tf.data.Dataset):
        return max(int(x.cardinality()), 0)
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches or 0
    if not hasattr(x, "shape"):
        return 0
    kept = x.shape[0] - math.floor(x.shape[0] * validation_split)
    return math.ceil(kept / (batch_size or 32))
