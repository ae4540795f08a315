"""Errors that a user can act upon."""


class UserError(ValueError):
    """What the user gave cannot be used: the message names what was seen, what was expected, what to do.

    Raised before any work is done. The scripts in `bin/` print it as one line and exit with status
    2.
    """


class NotFiniteError(ArithmeticError):
    """Training produced a NaN or an infinity. The scripts in `bin/` exit with status 3."""


class Interrupted(Exception):
    """A signal asked the run to stop; its state is saved. The scripts in `bin/` exit with status 75."""
