"""Parts of the package say about themselves what others need; nobody looks for attributes."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "tfrobust"
# (file, what is asked for) -> why there is no declared property or class to ask instead.
ALLOWED = {
    (
        "config/names.py",
        "hasattr",
        "part",
    ): "a module that gin names, whose parts may not be imported yet",
    (
        "contract/arrays.py",
        "hasattr",
        "__array__",
    ): "arrays of any library, by NumPy's own protocol",
    (
        "methods/schedules.py",
        "hasattr",
        "shape",
    ): "arrays of any library, as Keras's `fit` takes them",
    ("runs/writable.py", "hasattr", "statvfs"): "the operating system",
    ("training/callbacks/recompute.py", "hasattr", "moving_mean"): "layers of Keras and of users",
    (
        "training/callbacks/recompute.py",
        "hasattr",
        "moving_variance",
    ): "layers of Keras and of users",
}
# Names of our own kinds: what they have is declared.
OURS = {"attack", "objective", "method", "regularizer", "threat_model", "outcome", "evaluation"}


def probes():
    """(file, function, attribute, expression) of each `hasattr`, and each `getattr` with a default."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            asks = node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) == 3)
            if asks:
                name = node.args[1]
                name = name.value if isinstance(name, ast.Constant) else ast.unparse(name)
                where = path.relative_to(PACKAGE).as_posix()
                yield where, node.func.id, name, ast.unparse(node.args[0])


def test_nobody_looks_for_attributes():
    found = {probe[:3] for probe in probes() if probe[1] == "hasattr"}
    if found - ALLOWED.keys():
        pytest.fail(
            f"{sorted(found - ALLOWED.keys())}: give what is asked a documented property with a default "
            "that is true of those that say nothing (as `attacks/traits.py` does), or check its class."
        )
    assert not ALLOWED.keys() - found, "no longer needed here"


def test_our_own_kinds_are_not_probed():
    for where, _, name, expression in probes():
        if name in ("__name__", "__qualname__"):  # Of a function, for a message.
            continue
        last = expression.rpartition(".")[2].removeprefix("_")
        assert last not in OURS, f"{where}: getattr({expression}, {name!r}, ...)"
