"""What a user's numbers must be."""

import os

import numpy as np

from tfrobust.errors import UserError


def check_count(value, name):
    """Returns `value` if it is an integer of at least 1; raises `UserError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise UserError(f"`{name}` must be an integer of at least 1. Received: {value!r}.")
    return int(value)


def check_regular(path):
    """Raises `UserError` for what is there and is no regular file: opening a pipe waits for ever."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f"{path} is no regular file. Give the path of a file.")
