"""Imports go one way; gin stays at the edge; nobody asserts at users."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tfrobust"

# Modules beside the rooms that everybody may import.
BASE = {"errors", "spec", "files", "wording"}
LAYERS = [
    {"ops"},
    {"threat_models", "losses"},
    {"attacks", "regularizers", "weights"},
    {"methods"},
    {"training", "evaluation", "serving"},
]
TOP = LAYERS[-1]
# A room may import itself, BASE, and these.
MAY_IMPORT = {room: set().union(*LAYERS[:i]) for i, rooms in enumerate(LAYERS) for room in rooms}
MAY_IMPORT |= {room: MAY_IMPORT[room] | TOP | {"models", "data"} for room in TOP}
MAY_IMPORT |= {"models": {"ops"}, "data": {"ops"}, "plots": set()}
# These put everything together.
EVERYTHING = {"__init__", "config"}


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
        if top == "gin" and room != "config":
            yield f"{name}: only config.py imports gin"
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
    assert rooms <= set(MAY_IMPORT)
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert modules <= BASE | EVERYTHING


def test_every_room_is_a_package():
    folders = {path.parent for path in library_files()}
    assert [f for f in sorted(folders) if not (f / "__init__.py").exists()] == []


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
        ("assert 1 == 1", ("ops", "norms")),
    ],
)
def test_the_rule_catches(source, parts):
    assert len(list(faults(source, parts))) >= 1


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("import gin", ("config",)),
        ("from tfrobust.ops import norms\nfrom tfrobust import errors", ("losses", "margin")),
        ("from . import margin\nfrom .dlr import dlr", ("losses", "__init__")),
        ("from tfrobust.models import swap\nfrom tfrobust import methods", ("serving", "export")),
        ("import gingerly, matplotlib", ("plots", "curves")),
    ],
)
def test_the_rule_allows(source, parts):
    assert list(faults(source, parts)) == []
