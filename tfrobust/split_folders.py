"""Folders as users have them: one for each split or none, and what systems leave in them."""

import pathlib
from collections.abc import Collection

from tfrobust.errors import UserError

SPLITS = ("train", "validation", "test")
_SPELT = {"val": "validation", "valid": "validation"}
# What Windows and archives of macOS leave beside pictures; names with a dot in front are hidden ones.
_LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini", "__macosx")


def is_ignored(name: str) -> bool:
    """Whether a name is that of a hidden file, or of one that a system left and no user put there."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def list_folders(path: pathlib.Path) -> list[str]:
    """The names of a folder's folders that are not ignored, sorted; numbers, where all are, by their size.

    Example:
        >>> import pathlib
        >>> for name in ("10", "2", "1"):
        ...     pathlib.Path("numbered", name).mkdir(parents=True)
        >>> from tfrobust.split_folders import list_folders
        >>> list_folders(pathlib.Path("numbered"))
        ['1', '2', '10']
    """
    names = sorted(p.name for p in path.iterdir() if p.is_dir() and not is_ignored(p.name))
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else names


def spell_split(name: str) -> str:
    """The name of a split here: "validation" for "val" and "valid" too.

    Example:
        >>> from tfrobust.split_folders import spell_split
        >>> spell_split("val")
        'validation'
    """
    return _SPELT.get(name, name)


def find_split_folders(path: pathlib.Path) -> dict[str, pathlib.Path]:
    """The folders of the splits by the names that splits have here; none if they are not apart.

    Args:
        path: a folder. With a folder `train` or `test` in it, all folders in it are those of splits.

    Raises:
        UserError: there are others beside, or two of one split.

    Example:
        >>> import pathlib
        >>> for name in ("train", "val", "test"):
        ...     pathlib.Path("pets", name).mkdir(parents=True)
        >>> from tfrobust.split_folders import find_split_folders
        >>> sorted(find_split_folders(pathlib.Path("pets")))
        ['test', 'train', 'validation']
    """
    names = list_folders(path)
    if not {"train", "test"} & set(names):
        return {}
    found: dict[str, pathlib.Path] = {}
    for name in names:
        split = spell_split(name)
        if split not in SPLITS:
            raise UserError(
                f"{path} has the folder {name!r} beside {_name_others(names)}, which are those of splits: "
                "'train', 'test' and 'validation'. Move it elsewhere; if all of them are classes, move them "
                "into a folder 'train' and others of the same names into a folder 'test'."
            )
        if split in found:
            raise UserError(
                f"{path} has two folders of the {split} split, {found[split].name!r} and {name!r}. Put "
                "their pictures into one."
            )
        found[split] = path / name
    return found


def _name_others(names: Collection[str]) -> str:
    return " and ".join(repr(name) for name in names if spell_split(name) in SPLITS)
