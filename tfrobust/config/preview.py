"""What is wrong with gin files as far as their text tells, without TensorFlow and without gin's own reading.

Nothing that they name is imported or run. `Configuration` looks here first, and so does a command before it
imports TensorFlow.
"""

import difflib
import os
import pathlib
import re
from collections.abc import Sequence

from tfrobust.config.lines import BINDINGS, DYNAMIC, ROOMS, check_dynamic, check_lines
from tfrobust.config.modules import check_module
from tfrobust.config.source import Definition, Missing, find, find_own
from tfrobust.config.text import GinText
from tfrobust.errors import UserError, one_line

# So that bindings may name what the files do not import.
HEAD = (
    DYNAMIC,
    *(f"from tfrobust import {room}" for room in ROOMS),
)


class Preview:
    """The texts of gin files and of lines of gin, read and checked.

    Args:
        files: paths of gin files.
        bindings: lines of gin.
        root: folder in which `include 'gin/parts/...'` finds its files.
        trust: whether names may lead out of tfrobust and Keras.

    Attributes:
        paths: of the files, absolute.
        texts: pairs of where a text comes from and its `GinText`, included files first.

    Raises:
        UserError: there is no such file, it cannot be read, or it names what cannot exist.
    """

    def __init__(
        self,
        files: Sequence[str],
        bindings: Sequence[str] = (),
        root: str | os.PathLike = ".",
        trust: bool = False,
    ) -> None:
        if not files:
            raise UserError("Which configuration? Give --gin_file=gin/trades_mer.gin, for example.")
        self._root, self._trust = root, trust
        self.texts: list[tuple[str, GinText]] = []
        self.paths = [_find_file(file, root) for file in files]
        for path in self.paths:
            self._read_file(pathlib.Path(path), ())
        if bindings:
            self._read("\n".join([*HEAD, *bindings]), BINDINGS, ())
        for where, text in self.texts:
            _check_names(text, where)

    def _read_file(self, path, seen):
        if path in seen:
            raise UserError(f"{path} includes itself. Remove one of the include lines.")
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is not a gin file: {error}.") from error
        self._read(content, path, (*seen, path))

    def _read(self, content, where, seen):
        text = GinText(content)
        foreign = [s.format() for s in text.imports if not is_known(s.module)]
        foreign += [f"@{n}" for n in text.names if not is_known(n) and not n.startswith("gin.")]
        if foreign and not self._trust:
            raise UserError(format_refusal(where, foreign))
        for name in text.includes:
            self._read_file(pathlib.Path(find_included(name, self._root)), seen)
        if text.error is not None:
            told = one_line(text.error)
            if where == BINDINGS:
                told = re.sub(r" \(line \d+\)", "", told)
            raise UserError(f"The configuration cannot be read: {where}: {told}") from text.error
        for statement in text.imports if self._trust else ():
            check_module(statement.module, where)
        check_lines(text, where, self._trust)
        self.texts.append((str(where), text))

    def check_dynamic(self) -> None:
        """Raises `UserError` for a file whose names gin would not look up."""
        for where, text in self.texts:
            check_dynamic(text, where)

    def check_macros(self) -> None:
        """Raises `UserError` for macros that nothing refers to, or that have no value.

        For configurations of which all is used, as those of a run are.
        """
        bound = {name.rpartition("/")[2] for _, text in self.texts for name in text.macros}
        used = {name.rpartition("/")[2] for _, text in self.texts for name in text.referred_macros}
        unused = sorted(bound - used)
        if unused:
            raise UserError(
                f"Nothing uses these bindings: {', '.join(unused)}. Look for a misspelt name or scope, or "
                f"remove them.{self._suggest_argument(unused[0]) or _suggest(unused[0], used)}"
            )
        counts: dict[tuple, int] = {}
        for _, text in self.texts:
            for key in text.written:
                counts[key] = counts.get(key, 0) + 1
        for where, text in self.texts:
            for key, names in text.written.items():
                missing = sorted(n for n in names if n.rpartition("/")[2] not in bound)
                # What another text replaces is of no use any more; nothing replaces the last one's.
                last = counts[key] == 1 or where == BINDINGS
                if missing and last and "." not in missing[0]:
                    raise UserError(
                        f"{where} refers to %{missing[0]}, which has no value: add a line that gives one."
                        f"{_suggest(missing[0], bound)}"
                    )

    def _suggest_argument(self, name):
        """Where the texts bind or could bind an argument of this name."""
        keys = [key for _, text in self.texts for key in text.written]
        bound = {(*scope, of) for scope, of, argument in keys if argument == name.lower()}
        named = {of for _, text in self.texts for of in text.names if _takes(of, name.lower())}
        places = bound or {(of,) for of in named}
        spelt = sorted("/".join(place).replace("tfrobust.", "") for place in places)[:3]
        meant = " or ".join(repr(f"{one}.{name.lower()}") for one in spelt)
        return f" Did you mean {meant}?" if spelt else ""


def _takes(name, argument):
    found = find(name) if name.startswith("tfrobust.") else None
    return isinstance(found, Definition) and argument in (found.parameters() or ())


def is_known(module: str) -> bool:
    """Whether a module may be named without trust: one of tfrobust or Keras."""
    return module.split(".")[0] in ("tfrobust", "keras")


def format_refusal(where: str | os.PathLike, names: Sequence[str]) -> str:
    """What a user is told about gin that names foreign code."""
    return (
        f"{where} names what is not of tfrobust: {', '.join(names)}. Whoever runs it runs that code. Read "
        "it, and give --trust if you would run it."
    )


def find_included(file: str, root: str | os.PathLike) -> str:
    """The path of an included file; raises `UserError` if there is none."""
    # In gin's order.
    for folder in (pathlib.Path(root).resolve(), pathlib.Path()):
        if (folder / file).is_file():
            return str((folder / file).resolve())
    raise UserError(
        f"There is no gin file {file!r}, which another one includes.{_suggest_file(file, root)}"
    )


def _find_file(file, root):
    for folder in (".", root):
        path = pathlib.Path(folder, file).resolve()
        if path.is_file():
            return str(path)
    raise UserError(
        f"There is no gin file {file!r}.{_suggest_file(file, root)} The files to run are in the folder gin/."
    )


def _suggest_file(file, root):
    found = {}
    for folder in (pathlib.Path(root).resolve(), pathlib.Path.cwd()):
        if (folder / "gin").is_dir():
            paths = (folder / "gin").rglob("*.gin")
            found |= {p.relative_to(folder).as_posix(): None for p in paths}
    near = difflib.get_close_matches(str(file), found, 1)
    # By its name alone, if the folder is what is wrong.
    stem = pathlib.PurePath(file).stem
    near = near or [name for name in found if pathlib.PurePath(name).stem == stem][:1]
    return f" Did you mean {near[0]!r}?" if near else ""


def _suggest(name, names):
    # Whoever writes Pgd means PGD, not the module of that name.
    spelt = {other.lower(): other for other in sorted(names, reverse=True)}
    near = difflib.get_close_matches(name.lower(), spelt, 1)
    return f" Did you mean {spelt[near[0]]!r}?" if near else ""


def _check_names(text, where):
    for name in text.names:
        found = find(name) if name.startswith("tfrobust.") else find_own(name)
        short = name.removeprefix("tfrobust.")
        if isinstance(found, Missing):
            place = found.place.removeprefix("tfrobust.")
            raise UserError(
                f"{where} names {short}, but {place} has no {found.name}."
                + _suggest(found.name, found.offered)
            )
        taken = found.parameters() if isinstance(found, Definition) else None
        for argument in sorted(text.arguments(name)):
            if taken is not None and argument not in taken:
                raise UserError(
                    f"{where} binds {short}.{argument}, but {short} has no argument {argument}."
                    + _suggest(argument, taken)
                )
