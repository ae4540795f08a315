"""Numbers as users write them: `"8/255"` is eight of 255 grey levels."""

import fractions

from tfrobust.errors import UserError


def number(value, name, minimum=None, maximum=None):
    """Returns the float that a user wrote as a number, as "8/255" or as "0.031".

    Args:
        value: number or string. Written values are read exactly, by `fractions.Fraction`.
        name: what the user calls it; appears in the message.
        minimum, maximum: the smallest and the largest value allowed, or None.

    Returns:
        A Python float.

    Raises:
        UserError: if the value cannot be read or lies outside the limits.
    """
    try:
        if isinstance(value, bool):
            raise ValueError("a truth value is not a number")
        result = float(
            fractions.Fraction(value.replace(" ", "")) if isinstance(value, str) else value
        )
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise UserError(
            f"`{name}` must be a number or a string such as '8/255'. Received: {name}={value!r}."
        ) from error
    low = float("-inf") if minimum is None else minimum
    high = float("inf") if maximum is None else maximum
    if not low <= result <= high:
        hint = f" Did you mean '{value}/255'?" if 1 < result <= 255 and high == 1.0 else ""
        raise UserError(
            f"`{name}` must lie between {low:g} and {high:g} for pixels in [0, 1]. "
            f"Received: {name}={value!r}.{hint}"
        )
    return result


def integer(value, name, minimum):
    """Returns `value` if it is a whole number of at least `minimum`, otherwise raises `UserError`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise UserError(
            f"`{name}` must be a whole number of at least {minimum}. Received: {name}={value!r}."
        )
    return value
