"""Modules outside tfrobust that gin files name: found where Python looks, and not imported."""

import importlib.machinery
import os
import pathlib
import sys
import sysconfig
from importlib.machinery import ModuleSpec

from tfrobust.errors import UserError


def import_from_working_directory() -> None:
    """Lets Python find modules in the working directory, after all others: none there hides another."""
    folder = os.getcwd()
    if folder not in map(os.path.abspath, sys.path):
        sys.path.append(folder)


def find_module(name: str) -> ModuleSpec | None:
    """What would be imported by a dotted name; None if there is no such module. Nothing is imported."""
    found, path = None, None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        whole = ".".join(parts[:depth])
        found = _find(whole, path)
        if found is None:
            return None
        path = found.submodule_search_locations
        if path is None and depth < len(parts):
            return None
    return found


def check_module(name: str, where: str | os.PathLike) -> None:
    """Raises `UserError` if a gin file imports a module that Python does not find.

    Args:
        name: of the module, dotted.
        where: the file.
    """
    if find_module(name) is None:
        raise UserError(
            f"{where} imports {name}, and there is no such module in {', '.join(_list_folders())}, nor among "
            f"the packages of {sys.prefix}. Put {name.replace('.', '/')}.py into one of these folders, or "
            "give the command in the folder where it is."
        )


def find_own_file(name: str) -> pathlib.Path | None:
    """The source of a user's module; None for one of an installed package, or without source."""
    found = find_module(name)
    path = pathlib.Path(found.origin) if found is not None and found.origin else None
    if path is None or path.suffix != ".py" or _is_installed(str(path)):
        return None
    return path


def _find(name, path):
    for finder in (
        importlib.machinery.BuiltinImporter,
        importlib.machinery.FrozenImporter,
        importlib.machinery.PathFinder,
    ):
        found = finder.find_spec(name, path)
        if found is not None:
            return found
    return None


def _list_folders():
    """The folders of Python's path that are the user's own, the working directory first."""
    folders = [os.path.abspath(folder) for folder in sys.path if os.path.isdir(folder or ".")]
    own = dict.fromkeys(folder for folder in folders if not _is_installed(folder))
    here = os.getcwd()
    return [here, *(folder for folder in own if folder != here)] if here in own else list(own)


def _is_installed(path):
    own = pathlib.Path(path)
    standard = pathlib.Path(sysconfig.get_paths()["stdlib"])
    return bool({"site-packages", "dist-packages"} & set(own.parts)) or own.is_relative_to(standard)
