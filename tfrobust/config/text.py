"""What a gin text says, read with gin's own parser, without importing or running anything that it names."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

from gin import config_parser


@dataclasses.dataclass(frozen=True)
class Reference:
    """`@scope/name` or `@scope/name()`."""

    scope: tuple
    name: str


@dataclasses.dataclass(frozen=True)
class Macro:
    """`%NAME`."""

    name: str


class GinText:
    """The statements of one gin file, or of lines of gin.

    Args:
        text: gin.

    Attributes:
        imports: the statements, as gin's parser gives them, without those from `__gin__`.
        includes: names of files.
        names: dotted names of all that is bound or referred to, from the root of the package where an
            import says so.
        unknown: names that no import provides.
        dynamic: whether names are looked up in what the text imports, and nowhere else.
        macros: names of the macros that get a value, with their scopes.
        referred_macros: names of those that values refer to.
        written: (scope, name, argument) of each binding -> the macros that its value refers to.
        error: what is wrong with the text, or None; the rest is then what stands before that place,
            which is as far as gin gets too.
    """

    def __init__(self, text: str) -> None:
        self.imports: list[Any] = []
        self.includes: list[str] = []
        self.dynamic = False
        self.written: dict[tuple, set[str]] = {}
        self._roots: dict[str, str] = {}
        self._macros: dict[str, Any] = {}
        self._bound: dict[tuple, dict] = collections.defaultdict(dict)
        self._names: dict[str, Any] = {}
        self.error: Exception | None = None
        try:
            for statement in config_parser.ConfigParser(text, _Delegate(self._note)):
                self._add(statement)
        except Exception as error:  # the parser's own and the tokenizer's, which are many
            self.error = error
        self.macros = sorted(self._macros)
        self.referred_macros = set().union(*self.written.values())
        self.names = sorted(set(filter(None, map(self.dotted, self._names))))
        self.unknown = sorted(name for name in self._names if self.dotted(name) is None)

    def _add(self, statement):
        if isinstance(statement, config_parser.ImportStatement):
            self._import(statement)
        elif isinstance(statement, config_parser.IncludeStatement):
            self.includes.append(statement.filename)
        elif isinstance(statement, config_parser.BlockDeclaration):
            self._note(statement.selector)
        elif statement.arg_name:
            self._note(statement.selector)
            scope = tuple(filter(None, statement.scope.split("/")))
            self._bound[scope, self.dotted(statement.selector)][statement.arg_name] = (
                statement.value
            )
            self.written[scope, self.dotted(statement.selector), statement.arg_name] = set(
                _macros_in(statement.value)
            )
        else:
            name = "/".join(filter(None, (statement.scope, statement.selector)))
            self._macros[name] = statement.value
            self.written["macro", name, ""] = set(_macros_in(statement.value))

    def dotted(self, name: str) -> str | None:
        """A name from the root of its package; None if no import provides it."""
        root, *rest = name.split(".")
        if root == "gin":
            return name
        module = self._roots.get(root)
        return None if module is None else ".".join((module, *rest))

    def bound(self, name: str, scope: Sequence[str] = ()) -> dict[str, Any]:
        """The arguments that are bound to a dotted name for a call in a scope, a dict.

        Macros are replaced by their values; a reference comes as a `Reference`.
        """
        found: dict[str, Any] = {}
        for depth in range(len(scope) + 1):
            found |= self._bound.get((tuple(scope[:depth]), name), {})
        return {argument: self._value(value) for argument, value in found.items()}

    def arguments(self, name: str) -> set[str]:
        """The arguments that are bound to a dotted name in any scope."""
        found = [bound for (_, bound_to), bound in self._bound.items() if bound_to == name]
        return set().union(*found)

    def _value(self, value: Any, depth=0):
        if isinstance(value, Macro) and depth < 20:
            return self._value(self._macros.get(value.name), depth + 1)
        if isinstance(value, (list, tuple)):
            return type(value)(self._value(one, depth) for one in value)
        return value

    def _note(self, name):
        self._names[name] = None

    def _import(self, statement):
        if statement.is_from and statement.module.startswith("__gin__."):
            self.dynamic = True
            return
        self.imports.append(statement)
        whole = statement.is_from or statement.alias
        module = statement.module if whole else statement.module.split(".")[0]
        self._roots[statement.bound_name()] = module


def _macros_in(value):
    if isinstance(value, Macro):
        yield value.name
    inner = (*value.keys(), *value.values()) if isinstance(value, dict) else value
    if isinstance(inner, (list, tuple)):
        for one in inner:
            yield from _macros_in(one)


class _Delegate(config_parser.ParserDelegate):
    def __init__(self, note):
        self._note = note

    def configurable_reference(self, scoped_configurable_name, evaluate):
        *scope, name = scoped_configurable_name.split("/")
        self._note(name)
        return Reference(tuple(scope), name)

    def macro(self, macro_name):
        return Macro(macro_name)
