"""The libraries whose AutoAttack is timed, and what they need; nothing here imports them or TensorFlow."""

import subprocess
import sys
from typing import NamedTuple

from tfrobust.errors import UserError


class Library(NamedTuple):
    """A library with an AutoAttack.

    Attributes:
        modules: that it is imported by, PyTorch first, and what `pip install` calls them.
        norms: of threat models that it searches.
    """

    modules: dict[str, str]
    norms: tuple[str, ...]


LIBRARIES = {
    "torchattacks": Library(
        {"torch": "torch", "torchvision": "torchvision", "torchattacks": "torchattacks"},
        ("Linf", "L2"),
    ),
}


def check_library(library: str, python: str = sys.executable) -> None:
    """Looks whether an interpreter can import a library, without importing it.

    Args:
        library: one of `LIBRARIES`.
        python: path of the interpreter.

    Raises:
        UserError: there is no such interpreter, or it lacks something, and the message has pip's
            command; or an unknown library.
    """
    if library not in LIBRARIES:
        raise UserError(
            f"There is no AutoAttack of {library!r} to compare with. Expected: {', '.join(LIBRARIES)}."
        )
    modules = LIBRARIES[library].modules
    look = (
        "import importlib.util, sys; "
        "print(*(m for m in sys.argv[1:] if importlib.util.find_spec(m) is None))"
    )
    try:
        told = subprocess.run(
            [python, "-c", look, *modules], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f"{python} is not a Python that can be run: {error}. Give --python=PATH of one."
        ) from error
    missing = [modules[module] for module in told.stdout.split()]
    if missing:
        raise UserError(
            f"{python} cannot import what the comparison with {library} needs: {', '.join(missing)}. "
            f"Install it with: {python} -m pip install {' '.join(missing)} - or give --python=PATH of an "
            "interpreter that has it."
        )
