"""The lines that a gin file needs before it may use a name, and which of them it lacks."""

import os

from tfrobust.config.modules import find_module
from tfrobust.config.source import Missing, find
from tfrobust.config.text import GinText
from tfrobust.errors import UserError

DYNAMIC = "from __gin__ import dynamic_registration"
"""With this line gin looks up names in what a file imports, without which it knows nothing of tfrobust."""

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
    """Raises `UserError` for the first name that a file uses without the lines that provide it.

    Args:
        text: the file.
        where: its path, for the message.
        trust: whether modules may register names of their own, which the text does not tell.
    """
    lacks_dynamic = not text.dynamic and any(_is_looked_up(name) for name in text.names)
    unknown = text.unknown if text.dynamic or lacks_dynamic or not trust else []
    # Files written for registered names have none of these.
    unknown = unknown or [name for name in text.unknown if name.split(".")[0] in ROOMS]
    if not unknown and not lacks_dynamic:
        return
    lines = [] if text.dynamic else [DYNAMIC]
    if unknown:
        name, told = unknown[0], _find_room(unknown[0])
        lines.append(_find_import(told, where))
    else:
        name = told = next(filter(_is_looked_up, text.names)).removeprefix("tfrobust.")
    put = (
        "it at its top" if len(lines) == 1 else "both at its top, the first one before all imports"
    )
    raise UserError(
        f"The configuration cannot be read: {where} names {name!r}, and lacks the line "
        f"{' and the line '.join(map(repr, lines))}: put {put}"
        f"{'.' if told == name else f', and write {told}.'}"
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
