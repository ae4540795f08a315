"""Imports go one way; gin stays at the edge; nobody asserts at users."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tfrobust"

# Modules beside the rooms that everybody may import.
BASE = {"compat", "errors", "spec", "split_folders", "version", "written"}
# From the ground up: a room may import the floors below its own, and itself.
FLOORS = [
    {"ops", "contract"},
    {"threat_models", "losses"},
    {"attacks", "regularizers", "weights", "bounds"},
    {"methods"},
    {"recipes"},
    {"evaluation"},
    {"certification"},
    {"benchmarks", "serving"},
    {"training"},
]
MAY_IMPORT = {room: set().union(*FLOORS[:i]) for i, rooms in enumerate(FLOORS) for room in rooms}
# Stones that stand beside the floors, and the lowest floor that may use them.
MAY_IMPORT |= {"contract": {"ops"}, "models": {"ops", "contract"}, "data": {"ops", "contract"}}
MAY_IMPORT |= {"plots": {"runs"}, "runs": set(), "config": set()}
MAY_IMPORT |= {"comparison": {"runs", "ops"}, "papers": {"runs", "ops", "comparison"}}
MAY_IMPORT |= {"sweeps": {"runs", "config", "plots", "comparison"}}
MAY_IMPORT |= {
    "figures": set().union(*FLOORS[:7])
    | {"models", "data", "runs", "plots", "config", "sweeps", "comparison", "papers"}
}
for rooms in FLOORS[5:]:
    for room in rooms:
        MAY_IMPORT[room] |= {"models", "data", "plots", "runs", "config", "comparison"}
# These put everything together.
EVERYTHING = {"__init__", "commands"}


def imported_modules(source, package):
    """Dotted names of all that `source` imports, at any depth; `package` is where it lives."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def faults(source, parts):
    """What is wrong with a file at tfrobust/`parts`, such as ("losses", "margin")."""
    room = parts[0]
    for name in sorted(set(imported_modules(source, ("tfrobust", *parts[:-1])))):
        top, *rest = name.split(".")
        if top == "gin" and room not in ("config", "compat"):
            yield f"{name}: only the room config and compat.py import gin"
        if room == "plots" and top in {"tensorflow", "keras", "tf_keras", "tensorflow_probability"}:
            yield f"{name}: plots never imports TensorFlow"
        if top == "bin":
            yield f"{name}: the library never imports the scripts"
        if top != "tfrobust" or not rest or room in EVERYTHING:
            continue
        target = rest[0]
        if target in BASE:
            continue
        if room in BASE or target not in MAY_IMPORT.get(room, set()) | {room}:
            yield f"{name}: {room} may not import {target}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            yield f"line {node.lineno}: raise UserError where a user can be wrong, never assert"


def library_files():
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", library_files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    assert list(faults(path.read_text(), parts)) == []


def test_every_room_is_in_the_table():
    rooms = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.glob("*/**/*.py")}
    assert rooms <= set(MAY_IMPORT) | EVERYTHING
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert modules <= BASE | EVERYTHING


def test_every_room_is_a_package():
    folders = {path.parent for path in library_files()}
    assert [f for f in sorted(folders) if not (f / "__init__.py").exists()] == []


def modules_of(package):
    """Dotted names of the package's modules, each with its file."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports_between(sources):
    """Pairs of modules of which the first imports the second; `sources`: name -> (text, is a package)."""
    for name, (source, is_package) in sources.items():
        package = tuple(name.split(".")) if is_package else tuple(name.split(".")[:-1])
        found = set(imported_modules(source, package)) & sources.keys()
        # `from a import b` gives a and a.b, and means the module if b is one.
        handed_on = {module.rpartition(".")[0] for module in found}
        yield from ((name, module) for module in found - handed_on)


def find_cycle(edges):
    """A cycle in a set of pairs, as a list, or None."""
    follows = {}
    for one, other in edges:
        if one != other:
            follows.setdefault(one, set()).add(other)
    done = set()

    def search(node, path):
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return None
        for other in sorted(follows.get(node, ())):
            if found := search(other, [*path, node]):
                return found
        done.add(node)
        return None

    return next((found for node in sorted(follows) if (found := search(node, []))), None)


def room_of(module):
    """The folder of a module inside the package; a package's own names belong to its parent's front."""
    parts = module.split(".")
    return ".".join(parts[:-1]) if len(parts) > 2 else module


def test_no_files_and_no_folders_import_each_other():
    sources = {n: (p.read_text(), p.name == "__init__.py") for n, p in modules_of(PACKAGE)}
    edges = set(imports_between(sources))
    assert len(edges) > 300
    assert find_cycle(edges) is None
    # An __init__ only hands names on.
    packages = {name for name, (_, is_package) in sources.items() if is_package}
    between = {
        (room_of(one), room_of(other)) for one, other in edges if not {one, other} & packages
    }
    assert find_cycle(between) is None


def test_a_cycle_is_found():
    assert find_cycle({("a", "b"), ("b", "c")}) is None
    assert find_cycle({("a", "b"), ("b", "c"), ("c", "a")}) == ["a", "b", "c", "a"]
    sources = {
        "t": ("from t import a", True),
        "t.a": ("from t.b import name", False),
        "t.b": ("def f():\n    from t import a", False),
    }
    assert find_cycle(set(imports_between(sources))) is not None


def test_gin_folder_is_no_package():
    # gin/__init__.py would hide the library of that name.
    assert list((ROOT / "gin").rglob("__init__.py")) == []


def test_scripts_leave_gin_to_config():
    for path in sorted((ROOT / "bin").glob("*.py")):
        names = {name.split(".")[0] for name in imported_modules(path.read_text(), ("bin",))}
        assert "gin" not in names, path


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("import gin", ("methods", "trades")),
        ("from gin import config", ("training", "run")),
        ("def f():\n    import tensorflow as tf", ("plots", "curves")),
        ("from tfrobust import methods", ("attacks", "pgd")),
        ("from tfrobust.methods.trades import TRADES", ("losses", "margin")),
        ("import tfrobust.models.swap", ("methods", "base")),
        ("from ..losses import margin", ("ops", "norms")),
        ("from tfrobust import attacks", ("weights", "awp")),
        ("from tfrobust import ops", ("errors",)),
        ("from tfrobust.data import splits", ("models", "cnn")),
        ("from tfrobust.training import train", ("evaluation", "evaluate")),
        ("from tfrobust.runs import files", ("data", "splits")),
        ("assert 1 == 1", ("ops", "norms")),
    ],
)
def test_the_rule_catches(source, parts):
    assert len(list(faults(source, parts))) >= 1


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("import gin", ("config", "names")),
        ("from tfrobust.ops import norms\nfrom tfrobust import errors", ("losses", "margin")),
        ("from . import margin\nfrom .dlr import dlr", ("losses", "__init__")),
        ("from tfrobust.models import swap\nfrom tfrobust import methods", ("serving", "export")),
        ("from tfrobust.serving import export_classifier", ("training", "run")),
        ("import gingerly, matplotlib", ("plots", "curves")),
    ],
)
def test_the_rule_allows(source, parts):
    assert list(faults(source, parts)) == []


# One attack, method, recipe, model or check a file.
CATALOGUES = {"attacks", "methods", "recipes", "models"}


def test_files_and_folders_stay_small():
    for path in library_files():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 250, (
            f"{path.relative_to(ROOT)} has {lines} lines: cut it where the concept ends"
        )
    for folder in sorted({path.parent for path in library_files()}):
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        if folder.name not in CATALOGUES:
            assert len(files) <= 15, (
                f"{folder.relative_to(ROOT)} has {len(files)} files: group them"
            )
