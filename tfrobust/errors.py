"""Errors that a user can act upon."""

import re

# Keras writes in colours.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class UserError(ValueError):
    """What the user gave cannot be used: the message names what was seen, what was expected, what to do.

    Raised before any work is done. The scripts in `bin/` print it as one line and exit with status
    2.
    """


class NotFiniteError(ArithmeticError):
    """Training produced a NaN or an infinity. The scripts in `bin/` exit with status 3."""


class Interrupted(Exception):
    """A signal asked the run to stop; its state is saved. The scripts in `bin/` exit with status 75.

    Args:
        kept: what happened, and what was kept.
        then: how to go on.
    """

    def __init__(self, kept: str, then: str = "Give the same command again to go on.") -> None:
        super().__init__(f"{kept} {then}".strip())


def one_line(error: object, longest: int = 1000) -> str:
    """What an error says, as one printable line without what gin adds about the call.

    Args:
        error: exception; its type stands for one that says nothing.
        longest: characters after which the line is cut.

    Returns:
        A non-empty string without line breaks and control characters.
    """
    said = str(error).split("\n  In call to configurable")[0]
    said = said.split("\n  No values supplied by Gin")[0]
    line = " ".join(_COLOUR.sub("", said).split()) or type(error).__name__
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return line if len(line) <= longest else f"{line[:longest]} ..."
