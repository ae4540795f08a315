"""What a seed may be, at every door."""

import numbers
from typing import Any

from tfrobust.errors import UserError

# Two words of 31 bits, see `random.seed_pair`.
SEED_LIMIT = 2**62


def check_seed(seed: Any, name: str = "seed") -> int:
    """Returns a seed as a Python int.

    Args:
        seed: whole number in [0, 2**62).
        name: what the user calls it; appears in the message.

    Raises:
        UserError: for anything else.

    Example:
    >>> check_seed(np.int64(3))
    3
    """
    if seed is None:
        raise UserError(
            f"A seed is needed, since nothing here draws from a global random state: give {name}=0, or "
            "another whole number for other noise."
        )
    is_whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not is_whole or not 0 <= seed < SEED_LIMIT:
        raise UserError(
            f"`{name}` must be a whole number of at least 0 and below 2**62. Received: {name}={seed!r}."
        )
    return int(seed)
