"""Numbers that print as they were written."""

import fractions
from typing import Any


class Written(float):
    """A number that prints as it was written: `Written("8/255")` is the float 8 / 255, and prints "8/255".

    It counts, compares and hashes as the float. What is computed from it is a plain float.

    Args:
        text: an integer, a decimal or a fraction, read exactly by `fractions.Fraction`.

    Raises:
        ValueError, ZeroDivisionError, OverflowError: as the fraction does.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Written":
        self = super().__new__(cls, fractions.Fraction(text.replace(" ", "")))
        self.text = text
        return self

    def __repr__(self) -> str:
        return repr(self.text)

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[Any, ...]:
        return Written, (self.text,)
