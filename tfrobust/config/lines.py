"""The lines that a gin file needs before it may use a name, and which of them it lacks."""

import os

from tfrobust.config.modules import find_module
from tfrobust.config.source import Missing, find
from tfrobust.config.text import GinText
from tfrobust.errors import UserError

DYNAMIC = "from __gin__ import dynamic_registration"
"""With this line gin looks up names in what a file imports, without which it knows nothing of tfrobust."""

BINDINGS = "--gin_bindings"
"""Where lines of gin come from that are in no file."""

ROOMS = (
    "attacks",
    "data",
    "evaluation",
    "losses",
    "methods",
    "models",
    "recipes",
    "regularizers",
    "threat_models",
    "training",
    "weights",
)


def check_lines(text: GinText, where: str | os.PathLike, trust: bool) -> None:
    """Raises `UserError` for the first name that none of a file's imports provides.

    Args:
        text: the file.
        where: its path, for the message.
        trust: whether modules may register names of their own, which the text does not tell.
    """
    lacks_dynamic = not text.dynamic and any(map(_is_looked_up, text.names))
    of_rooms = [name for name in text.unknown if name.split(".")[0] in ROOMS]
    unknown = text.unknown if text.dynamic or lacks_dynamic or not trust else of_rooms
    if unknown:
        told = _find_room(unknown[0])
        lines = [] if text.dynamic else [DYNAMIC]
        raise _lack(where, unknown[0], [*lines, _find_import(told, where)], told)


def check_dynamic(text: GinText, where: str | os.PathLike) -> None:
    """Raises `UserError` for a file that lacks the line by which gin finds what its imports provide."""
    names = [] if text.dynamic else list(filter(_is_looked_up, text.names))
    if names:
        raise _lack(where, names[0].removeprefix("tfrobust."), [DYNAMIC])


def _lack(where, name, lines, told=None):
    put = (
        "it at its top" if len(lines) == 1 else "both at its top, the first one before all imports"
    )
    if where == BINDINGS:
        put = f"{BINDINGS}={lines[0]!r} before it"
    return UserError(
        f"The configuration cannot be read: {where} names {name!r}, and lacks the line "
        f"{' and the line '.join(map(repr, lines))}: put {put}"
        f"{'.' if told in (None, name) else f', and write {told}.'}"
    )


def _is_looked_up(name):
    root, _, rest = name.partition(".")
    return root == "keras" or (root == "tfrobust" and rest.split(".")[0] in ROOMS)


def _find_room(name):
    """The name as it is to be written: one without a room, such as Linf, with the room that has it."""
    for room in () if "." in name else ROOMS:
        if not isinstance(find(f"tfrobust.{room}.{name}"), (Missing, type(None))):
            return f"{room}.{name}"
    return name


def _find_import(name, where):
    root = name.split(".")[0]
    if root in ROOMS:
        return f"from tfrobust import {root}"
    if "." in name and find_module(root) is not None:
        return f"import {root}"
    own = f", or add the line 'import {root}' if that is a module of yours" if "." in name else ""
    raise UserError(
        f"The configuration cannot be read: {where} names {name!r}, which none of its imports provides, and "
        f"no room of tfrobust has. Correct the name{own}."
    )
