"""The docs site: pages are in the navigation, public names in the reference, examples are shown as such.

The site itself: python -m pytest -m slow tests/test_site.py
"""

import importlib
import importlib.util
import pathlib
import re
import subprocess
import sys
import textwrap
import tomllib

import pytest

import tfrobust

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
CONFIGURATION = tomllib.loads((ROOT / ".zensical.toml").read_text(encoding="utf-8"))["project"]


def shown():
    """What the reference pages show, by `::: NAME`."""
    pages = REFERENCE.glob("*.md")
    return {name for page in pages for name in re.findall(r"^::: (\S+)$", page.read_text(), re.M)}


def pages_of(entry):
    if isinstance(entry, str):
        return [entry]
    inside = entry.values() if isinstance(entry, dict) else entry
    return [page for part in inside for page in pages_of(part)]


def test_every_page_is_in_the_navigation_once():
    named = pages_of(CONFIGURATION["nav"])
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_every_public_name_is_in_the_reference():
    rooms = {name for name in shown() if hasattr(importlib.import_module("tfrobust"), name[9:])}
    listed = {
        f"tfrobust.{name}" for name in tfrobust.__all__ if (ROOT / "tfrobust" / name).is_dir()
    }
    assert rooms == listed
    objects = []
    for room in rooms:
        module = importlib.import_module(room)
        objects += [getattr(module, name) for name in module.__all__]
    alone = [name.rpartition(".") for name in shown() - rooms]
    objects += [getattr(importlib.import_module(module), name) for module, _, name in alone]
    missing = [
        name
        for name in tfrobust.__all__
        if name != "__version__" and f"tfrobust.{name}" not in rooms
        if not any(getattr(tfrobust, name) is one for one in objects)
    ]
    assert missing == []


def load(name):
    """A module of `.ci`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_formulas_in_angle_brackets_stay():
    """Markdown takes <v, w> for a tag of HTML, and nobody sees it."""
    markdown = pytest.importorskip("markdown", reason="pip install '.[docs]'")
    site = markdown.Markdown(extensions=[load("site_brackets").SiteBrackets()])
    for text in ("psi - <grad psi(b), a - b> and <a, b>", "in path/<class>/*, </i j>", "1 < x <y"):
        shown = site.convert(text).replace("&lt;", "<").replace("&gt;", ">")
        assert shown == f"<p>{text}</p>"
    for tag in ("<br>", '<img src="x.png" width="3">', "<a href='x'>y</a>", "<sub>2</sub>"):
        assert tag in site.convert(f"one {tag} two")
    assert "<code>&lt;v&gt;</code>" in site.convert("`<v>`")


def test_examples_are_read_as_examples():
    griffe = pytest.importorskip("griffe", reason="pip install '.[docs]'")
    module = load("docstring_examples")
    wrong = []
    for path in sorted((ROOT / "tfrobust").rglob("*.py")):
        for text in re.findall(r'"""(.*?)"""', path.read_text(encoding="utf-8"), re.S):
            if ">>> " not in text:
                continue
            first, _, rest = text.partition("\n")
            text = module.indent_examples(f"{first}\n" + textwrap.dedent(rest))
            sections = griffe.Docstring(text).parse("google")
            found = [s for s in sections if s.kind is griffe.DocstringSectionKind.examples]
            prose = [s.value for s in sections if s.kind is griffe.DocstringSectionKind.text]
            if len(found) != 1 or any(">>> " in value for value in prose):
                wrong.append((path.name, first))
    assert wrong == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning():
    pytest.importorskip("zensical", reason="pip install '.[docs]'")
    built = subprocess.run(
        [ROOT / ".ci" / "build_site"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
