"""Public functions and methods of the polished rooms say their types; what they export shows an example."""

import ast
import importlib
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "tfrobust"

# Folders of the package, a line each; subfolders are included.
ANNOTATED = (
    "attacks",
    "benchmarks",
    "bounds",
    "certification",
    "commands",
    "comparison",
    "config",
    "contract",
    "data",
    "evaluation",
    "figures",
    "losses",
    "models",
    "ops",
    "papers",
    "plots",
    "recipes",
    "regularizers",
    "runs",
    "serving",
    "sweeps",
    "threat_models",
    "training",
    "weights",
)
# What it exports is no example of use: the rows of a table.
SHOWN = tuple(room for room in ANNOTATED if room != "papers")


def lacking(function, is_method):
    """What of a function, a node, has no annotation: names of arguments, and "return"."""
    given = function.args
    arguments = [*given.posonlyargs, *given.args]
    decorators = {d.id for d in function.decorator_list if isinstance(d, ast.Name)}
    if is_method and "staticmethod" not in decorators:
        arguments = arguments[1:]
    arguments += [*given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    yield from (a.arg for a in arguments if a.annotation is None)
    if function.returns is None and function.name != "__init__":
        yield "return"


def unannotated(source):
    """Sentences about the public functions and methods of a module that lack annotations."""
    spoken = {"__init__", "__call__"}

    def walk(body, prefix):
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from walk(node.body, (*prefix, node.name))
            elif isinstance(node, ast.FunctionDef):
                if node.name.startswith("_") and node.name not in spoken:
                    continue
                if names := list(lacking(node, bool(prefix))):
                    yield f"{'.'.join((*prefix, node.name))}: {', '.join(names)}"

    return list(walk(ast.parse(source).body, ()))


@pytest.mark.parametrize("room", ANNOTATED)
def test_public_functions_are_annotated(room):
    found = {}
    for path in sorted((PACKAGE / room).rglob("*.py")):
        if names := unannotated(path.read_text()):
            found[str(path.relative_to(PACKAGE))] = names
    assert found == {}, "annotate these"


@pytest.mark.parametrize("room", SHOWN)
def test_what_a_room_exports_shows_an_example(room):
    module = importlib.import_module(f"tfrobust.{room.replace('/', '.')}")
    exported = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    without = [n for n, value in exported.items() if callable(value) and ">>>" not in value.__doc__]
    assert without == [], "give their docstrings an example, `>>> ...`"


def test_what_lacks_is_named():
    source = """
def one(a: int, *b, c=1, **d: int): ...
def _hidden(a): ...
class Two:
    def __init__(self, a: int): ...
    def __call__(self, a): ...
    def get_config(self): ...
    @staticmethod
    def make(a) -> int: ...
    @classmethod
    def read(cls, a: int) -> int: ...
"""
    assert unannotated(source) == [
        "one: c, b, return",
        "Two.__call__: a, return",
        "Two.get_config: return",
        "Two.make: a",
    ]
