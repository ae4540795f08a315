"""Numbers as users write them: `"8/255"` is eight of 255 grey levels."""

import fractions
import math
import numbers
from collections.abc import Sequence

from tfrobust.errors import UserError
from tfrobust.written import Written


def number(
    value: float | str,
    name: str,
    minimum: float | None = None,
    maximum: float | None = None,
    pixels: bool = False,
) -> float:
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

    Example:
    >>> number("8/255", "epsilon", 0.0, 1.0)
    0.03137254901960784
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


def parse_number(
    value: float | str,
    name: str,
    minimum: float | None = None,
    maximum: float | None = None,
    pixels: bool = False,
) -> float:
    """As `number`, but what it returns prints as the user wrote it. For the fields of a `Spec`.

    Returns:
        The value itself if it is a Python number, `Written` for a string, a float for anything else.
    """
    result = number(value, name, minimum, maximum, pixels)
    if isinstance(value, str):
        return Written(value)
    return value if isinstance(value, Written) or type(value) in (int, float) else result


def parse_numbers(
    values: Sequence[float | str], name: str, minimum: float | None = None
) -> tuple[float, ...]:
    """A tuple of what `parse_number` returns for each value."""
    if not isinstance(values, (tuple, list)):
        raise UserError(f"`{name}` must be a tuple of numbers. Received: {name}={values!r}.")
    return tuple(parse_number(value, name, minimum) for value in values)


def _limits(minimum, maximum):
    if minimum is None and maximum is None:
        return "be finite"
    if maximum is None:
        return f"be finite and at least {minimum:g}"
    if minimum is None:
        return f"be finite and at most {maximum:g}"
    return f"lie between {minimum:g} and {maximum:g}"


def integer(value: int, name: str, minimum: int, maximum: int | None = None) -> int:
    """Returns `value`, Python's or NumPy's, as an int if it is a whole number within the limits.

    Raises:
        UserError: it is not.

    Example:
        >>> integer(np.int64(10), "steps", 1)
        10
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < minimum or (maximum is not None and value > maximum):
        limit = "" if maximum is None else f" and at most {maximum}"
        raise UserError(
            f"`{name}` must be a whole number of at least {minimum}{limit}. Received: {name}={value!r}."
        )
    return int(value)
