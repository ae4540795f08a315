"""What a user's numbers must be."""

import numpy as np

from tfrobust.errors import UserError


def check_count(value, name):
    """Returns `value` if it is an integer of at least 1; raises `UserError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise UserError(f"`{name}` must be an integer of at least 1. Received: {value!r}.")
    return int(value)
