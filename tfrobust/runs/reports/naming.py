"""What runs and what was made of them are called, by their paths."""

import os
import pathlib
from collections.abc import Sequence

from tfrobust.errors import UserError

# Rooms of a run, with a folder for each suite.
_ROOMS = ("evaluation", "certification")


def find_owner(path: str | os.PathLike) -> pathlib.Path:
    """The run that an evaluation, a certification or an export is of; else the path itself, absolute.

    Example:
        >>> from tfrobust.runs.reports.naming import find_owner
        >>> paths = ("runs/a/evaluation/autoattack", "runs/a/export/1", "runs/a/export/classifier.keras")
        >>> {find_owner(path).name for path in paths}
        {'a'}
        >>> find_owner("bounds/ibp").name
        'ibp'
    """
    found = pathlib.Path(path).resolve()
    if found.parent.name in _ROOMS or (found.parent.name == "export" and _is_exported(found.name)):
        return found.parent.parent
    return found.parent if found.name == "export" else found


def name_paths(paths: Sequence[str | os.PathLike]) -> tuple[str, ...]:
    """Names for a picture or a table: of each path's run the last parts that tell it from the others.

    Raises:
        UserError: a path is given twice.

    Example:
        >>> from tfrobust.runs.reports.naming import name_paths
        >>> name_paths(["runs/adv/seed_0", "runs/trades/seed_0"])
        ('adv/seed_0', 'trades/seed_0')
        >>> name_paths(["runs/adv/evaluation/autoattack", "runs/trades/evaluation/autoattack"])
        ('adv', 'trades')
        >>> name_paths(["runs/adv/evaluation/autoattack", "runs/adv/evaluation/pgd"])
        ('autoattack', 'pgd')
    """
    full = [pathlib.Path(path).resolve() for path in paths]
    twice = next((path for place, path in enumerate(full) if path in full[:place]), None)
    if twice is not None:
        raise UserError(f"{twice} is given twice. Give it once.")
    owners = [find_owner(path) for path in full]
    # Two evaluations of one run are told apart by their own folders.
    found = owners if len(set(owners)) == len(owners) else full
    for count in range(1, max((len(path.parts) for path in found), default=0)):
        names = ["/".join(path.parts[-count:]).removesuffix(".keras") for path in found]
        if len(set(names)) == len(names):
            return tuple(names)
    return tuple(map(str, found))


def _is_exported(name):
    return name in ("classifier.keras", "saved_model") or (name.isascii() and name.isdigit())
