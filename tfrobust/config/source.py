"""What tfrobust offers by name, read from its source: nothing is imported or run for it."""

import ast
import dataclasses
import functools
import pathlib
from collections.abc import Iterator
from typing import Any

from tfrobust.config.modules import find_module, find_own_file

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What decorates a class or function here without changing what it may be given.
_PLAIN = {"register", "dataclasses.dataclass", "dataclass"}


@dataclasses.dataclass(frozen=True)
class Definition:
    """A class or function of tfrobust, found in the source.

    Args:
        module: dotted name of where it is written.
        node: its syntax tree.
    """

    module: str
    node: ast.ClassDef | ast.FunctionDef

    def parameters(self) -> frozenset[str] | None:
        """Names of what it may be given; None where the source alone does not tell."""
        decorators = {ast.unparse(_called(d)) for d in self.node.decorator_list}
        if not decorators <= _PLAIN:
            return None
        if isinstance(self.node, ast.FunctionDef):
            return _arguments(self.node, 0)
        body: list[Any] = self.node.body
        inits = [n for n in body if _is_function(n) and n.name == "__init__"]
        if inits:
            return _arguments(inits[0], 1)
        bases = [self._base(base) for base in self.node.bases]
        if None in bases or len(bases) > 1:
            return None
        inherited = bases[0].parameters() if bases else frozenset()
        if inherited is None or not decorators & {"dataclasses.dataclass", "dataclass"}:
            return inherited
        return inherited | frozenset(_fields(self.node))

    def _base(self, node):
        found = find(f"{self.module}.{ast.unparse(node)}")
        return found if isinstance(found, Definition) else None


@dataclasses.dataclass(frozen=True)
class Missing:
    """A name that cannot exist.

    Args:
        place: the module that it should be in, dotted.
        name: which the module does not have.
        offered: the names that it has.
    """

    place: str
    name: str
    offered: tuple[str, ...]


def find(name: str) -> Definition | Missing | None:
    """Finds a dotted name, such as "tfrobust.attacks.PGD", in the source.

    Returns:
        Its `Definition`; `Missing` if there is no such thing; None where the source alone does not tell.
    """
    root, *rest = name.split(".")
    return _find_in(root, rest)


def find_own(name: str) -> Definition | Missing | None:
    """As `find`, of what a user's own module names at its first level."""
    module, _, head = name.rpartition(".")
    file = find_own_file(module) if module else None
    if file is None:
        return None
    bound = _bound_names(ast.parse(file.read_text(encoding="utf-8")))
    if head in bound:
        return Definition(module, bound[head]) if _is_function(bound[head]) else None
    if "__getattr__" in bound or "*" in bound or find_module(name) is not None:
        return None
    return Missing(module, head, tuple(sorted(n for n in bound if not n.startswith("_"))))


def _find_in(module, rest):
    while rest:
        head, *rest = rest
        tree = _parse(module)
        if tree is None:
            return None
        bound = _bound_names(tree)
        target = bound.get(head)
        if isinstance(target, tuple):
            # A module and what of it: a module's own name may be that of something in it.
            return _find_in(target[0], [*target[1:], *rest])
        if target is not None:
            plain = isinstance(target, (ast.ClassDef, ast.FunctionDef)) and not rest
            return Definition(module, target) if plain else None
        if _file_of(f"{module}.{head}") is None:
            if "__getattr__" in bound or "*" in bound:
                return None
            offered = sorted(n for n in (*bound, *_submodules(module)) if not n.startswith("_"))
            return Missing(module, head, tuple(offered))
        module = f"{module}.{head}"
    return None


def list_decorated(module: str, decorator: str) -> dict[str, tuple[str, ast.Call]]:
    """The functions of a module under a decorator of this name.

    Returns:
        Name of the function -> its docstring, and how the decorator is called.
    """
    tree = _parse(module)
    found = [n for n in _statements(tree.body) if _is_function(n)] if tree else []
    return {
        node.name: (ast.get_docstring(node) or "", call)
        for node in found
        for call in node.decorator_list
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == decorator
    }


def list_keys(module: str, name: str) -> dict[str, ast.expr]:
    """The keys of a dict that a module writes out under a name, each with the syntax tree of its value."""
    tree = _parse(module)
    for node in _statements(tree.body) if tree else ():
        targets = node.targets if isinstance(node, ast.Assign) else ()
        written = isinstance(getattr(node, "value", None), ast.Dict)
        if written and any(isinstance(t, ast.Name) and t.id == name for t in targets):
            return {ast.literal_eval(k): v for k, v in zip(node.value.keys, node.value.values)}
    raise LookupError(f"{module} writes out no dict {name}")


@functools.cache
def _file_of(module):
    path = ROOT.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


@functools.cache
def _parse(module):
    file = _file_of(module)
    return None if file is None else ast.parse(file.read_text(encoding="utf-8"))


def _submodules(module):
    folder = ROOT.joinpath(*module.split("."))
    return [p.stem for p in folder.glob("*") if _file_of(f"{module}.{p.stem}")]


def _statements(body) -> Iterator[Any]:
    """Statements that run when a module is imported, without those within classes and functions."""
    for node in body:
        yield node
        for inner in ("body", "orelse", "finalbody"):
            if not isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                yield from _statements(getattr(node, inner, ()))


def _bound_names(tree):
    """Name -> (module, name in it) where it is imported, else the statement that binds it."""
    bound = {}
    for node in _statements(tree.body):
        if isinstance(node, ast.ImportFrom):
            bound |= {a.asname or a.name: (node.module, a.name) for a in node.names}
        elif isinstance(node, ast.Import):
            bound |= {a.asname or a.name.split(".")[0]: _imported(a) for a in node.names}
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            bound[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound |= {t.id: node for t in targets if isinstance(t, ast.Name)}
    return bound


def _imported(alias):
    return (alias.name,) if alias.asname else (alias.name.split(".")[0],)


def _arguments(function, skipped):
    if function.args.kwarg or function.args.vararg:
        return None
    return frozenset(a.arg for a in (*function.args.args[skipped:], *function.args.kwonlyargs))


def _fields(node):
    return [
        n.target.id
        for n in node.body
        if isinstance(n, ast.AnnAssign)
        and "ClassVar" not in ast.unparse(n.annotation)
        and not (n.value and "init=False" in ast.unparse(n.value))
    ]


def _is_function(node):
    return isinstance(node, ast.FunctionDef)


def _called(decorator):
    return decorator.func if isinstance(decorator, ast.Call) else decorator
