"""The pages that show how to add a part: their files, written as they stand there, work."""

import inspect
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").glob("adding_*.md"))
BLOCK = re.compile(r"^<!-- (file|insert): (\S+) -->\n```\w*\n(.*?)^```$", re.M | re.S)


def blocks(page):
    """(kind, path, text) of what a page says to write."""
    return [match.groups() for match in BLOCK.finditer(page.read_text())]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the repository in which a newcomer has followed all pages."""
    tree = tmp_path_factory.mktemp("newcomer")
    for name in ("tfrobust", "gin", "bin", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("setup.cfg", ".ruff.toml", "README.md"):
        shutil.copy(ROOT / name, tree / name)
    for page in PAGES:
        for kind, path, text in blocks(page):
            target = tree / path
            assert target.exists() == (kind == "insert"), f"{page.name}: {path}"
            if kind == "insert":
                # Among the other imports.
                text = target.read_text().replace("\nfrom ", f"\n{text}from ", 1)
            target.write_text(text)
    return tree


def run(tree, *command):
    found = subprocess.run(
        [sys.executable, *command], cwd=tree, capture_output=True, text=True, timeout=600
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    return found.stdout


def test_every_page_shows_a_file_a_name_and_a_test():
    assert [page.stem for page in PAGES] == [
        "adding_a_data_set",
        "adding_a_method",
        "adding_an_attack",
    ]
    for page in PAGES:
        written = [(kind, path) for kind, path, _ in blocks(page)]
        assert len([p for k, p in written if k == "insert" and p.endswith("__init__.py")]) == 1
        assert any(p.startswith("tests/") for _, p in written)


def test_the_code_passes_the_linter(tree):
    paths = [path for page in PAGES for _, path, _ in blocks(page) if path.endswith(".py")]
    # A line of export is sorted in by whoever writes it.
    run(tree, "-m", "ruff", "check", "--ignore=I001", *paths)
    run(tree, "-m", "ruff", "format", "--check", *paths)


@pytest.mark.slow
def test_the_code_works(tree):
    files = [path for page in PAGES for kind, path, _ in blocks(page) if kind == "file"]
    tests = [path for path in files if path.startswith("tests/")]
    # What is asked of a room is asked of its new files too: annotations, examples.
    modules = [p[:-3].replace("/", ".") for p in files if p.startswith("tfrobust/")]
    tests += [f"tests/test_doctests.py::test_examples_hold[{name}]" for name in modules]
    tests.append("tests/test_annotations.py")
    told = run(tree, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests)
    assert re.search(r"\d+ passed", told)
    # The contracts have found the new ones.
    contracts = ("tests/methods/test_contract.py", "tests/attacks/test_contract.py")
    chosen = ("-k", "(alp and save) or (spsa and not two_devices) or has_a_case")
    told = run(tree, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *contracts, *chosen)
    assert "6 passed" in told


@pytest.mark.slow
def test_the_method_trains(tree):
    told = run(tree, "bin/train.py", "--gin_file=gin/alp.gin", "--dry_run")
    assert "ALP" in told


def test_methods_are_recommended_as_their_recipes_say():
    """`docs/methods.md` has each recipe's own sentence on when to use it."""
    from tfrobust import recipes

    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    told = page.split("<!-- when to use: begin -->")[1].split("<!-- when to use: end -->")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", told, re.M))
    said = {}
    for name in recipes.__all__:
        found = re.search(r"Use it (.*?)\n\n", inspect.getdoc(getattr(recipes, name)), re.S)
        if found:
            said[name] = " ".join(found[1].split())
    assert rows == said and len(rows) > 20
