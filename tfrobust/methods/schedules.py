"""Which settings change during training."""

import dataclasses

from tfrobust.ops.schedules import Schedule
from tfrobust.spec import Spec


def uses_schedule(value):
    """Whether a setting is a `Schedule`, or holds one somewhere inside."""
    if isinstance(value, Schedule):
        return True
    if isinstance(value, Spec):
        return any(uses_schedule(getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, dict):
        return any(uses_schedule(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(uses_schedule(item) for item in value)
