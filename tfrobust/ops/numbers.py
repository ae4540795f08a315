"""Numbers as users write them: `"8/255"` is eight of 255 grey levels."""

import fractions
import math
import numbers

from tfrobust.errors import UserError


def number(value, name, minimum=None, maximum=None, pixels=False):
    """Returns the float that a user wrote as a number, as "8/255" or as "0.031".

    Args:
        value: number or string. Written values are read exactly, by `fractions.Fraction`.
        name: what the user calls it; appears in the message.
        minimum, maximum: the smallest and the largest value allowed, or None.
        pixels: whether it is a length in pixel units; the message then says so.

    Returns:
        A finite Python float.

    Raises:
        UserError: if the value cannot be read, is not finite or lies outside the limits.
    """
    try:
        if isinstance(value, bool):
            raise ValueError("a truth value is not a number")
        result = float(
            fractions.Fraction(value.replace(" ", "")) if isinstance(value, str) else value
        )
    except (ValueError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise UserError(
            f"`{name}` must be a number or a string such as '8/255'. Received: {name}={value!r}."
        ) from error
    low = -math.inf if minimum is None else minimum
    high = math.inf if maximum is None else maximum
    if not (math.isfinite(result) and low <= result <= high):
        unit = " for pixels in [0, 1]" if pixels else ""
        raise UserError(
            f"`{name}` must {_limits(minimum, maximum)}{unit}. Received: {name}={value!r}."
            + (f" Did you mean '{result:g}/255'?" if pixels and 1 < result <= 255 else "")
        )
    return result


def _limits(minimum, maximum):
    if minimum is None and maximum is None:
        return "be finite"
    if maximum is None:
        return f"be finite and at least {minimum:g}"
    if minimum is None:
        return f"be finite and at most {maximum:g}"
    return f"lie between {minimum:g} and {maximum:g}"


def integer(value, name, minimum, maximum=None):
    """Returns `value`, Python's or NumPy's, as an int if it is a whole number within the limits.

    Raises:
        UserError: it is not.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < minimum or (maximum is not None and value > maximum):
        limit = "" if maximum is None else f" and at most {maximum}"
        raise UserError(
            f"`{name}` must be a whole number of at least {minimum}{limit}. Received: {name}={value!r}."
        )
    return int(value)
