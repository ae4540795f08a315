"""The commands there are: a new one is an entry here, a module of tfrobust.commands and a file in `bin/`."""

import difflib
import importlib
from collections.abc import Callable
from typing import Any

from tfrobust.errors import UserError
from tfrobust.version import __version__

# In the order in which one comes to need them.
NAMES = (
    "doctor",
    "train",
    "evaluate",
    "certify",
    "export",
    "compare",
    "sweep",
    "table",
    "paper_table",
    "plot",
    "benchmark",
)

PROGRAM = "tfrobust"


def load_command(name: str) -> Any:
    """The `Command` of a name; this imports its module, and not TensorFlow."""
    return importlib.import_module(f"tfrobust.commands.{name}").COMMAND


def choose(arguments: list[str], load: Callable[[str], Any] = load_command) -> tuple[str, str]:
    """What `tfrobust` is asked for.

    Args:
        arguments: those after the program's name.
        load: function from a name to its command.

    Returns:
        The name of a command, and nothing; or nothing, and the text that is the whole answer.

    Raises:
        UserError: there is no such command; the message says which is meant, perhaps.
    """
    first = arguments[0] if arguments else "--help"
    if first in ("--version", "-V", "version"):
        return "", f"tfrobust {__version__}"
    if first in ("--help", "-h", "-help", "--helpfull", "help"):
        return "", format_overview(load)
    if first not in NAMES:
        raise UserError(describe_unknown(first))
    return first, ""


def describe_unknown(name: str) -> str:
    """What a user is told who asks for a command that there is not."""
    if name.startswith("-"):
        return f"{name} comes before a command. Give the command first: {PROGRAM} train {name} ..."
    near = difflib.get_close_matches(name.lower().replace("-", "_"), NAMES, 1, 0.5)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no command {name!r}.{meant} {PROGRAM} --help lists them."


def format_overview(load: Callable[[str], Any] = load_command) -> str:
    """What `tfrobust --help` says."""
    rows = [f"  {name:12} {load(name).summary}" for name in NAMES]
    return "\n".join(
        [
            "Trains image classifiers that withstand adversarial examples, and measures how well any does.",
            "",
            f"Usage: {PROGRAM} COMMAND [flags]",
            "",
            "Examples:",
            "",
            f"    {PROGRAM} doctor",
            f"    {PROGRAM} train --gin_file=gin/trades_mer.gin",
            f"    {PROGRAM} evaluate --model=runs/trades_mer",
            "",
            "Commands:",
            "",
            *rows,
            "",
            f"{PROGRAM} help COMMAND, or {PROGRAM} COMMAND --help: its flags, with examples.",
            f"{PROGRAM} --version: the version.",
            "",
            "Files such as gin/trades_mer.gin come with the package; your own file at that path goes first.",
        ]
    )
