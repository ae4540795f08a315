"""The notebooks are the tutorials, without outputs; they are executed, at a small scale, by

python -m pytest -m slow tests/test_notebooks.py
"""

import importlib.util
import json
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def maker():
    path = ROOT / ".ci" / "make_notebooks.py"
    spec = importlib.util.spec_from_file_location("make_notebooks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_one_for_each_tutorial_that_has_one():
    pytest.importorskip("nbformat", reason="pip install '.[test]'")
    assert [path.stem for path in PATHS] == sorted(maker().NAMES)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_says_what_the_page_says(path):
    pytest.importorskip("nbformat", reason="pip install '.[test]'")
    page = ROOT / "docs" / "tutorials" / f"{path.stem}.md"
    made = maker().make_notebook(page.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == made, "python .ci/make_notebooks.py"
    cells = json.loads(made)["cells"]
    assert all(not cell.get("outputs") for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="pip install '.[test]'")
    nbformat = pytest.importorskip("nbformat", reason="pip install '.[test]'")
    monkeypatch.setenv("TFROBUST_SCALE", "0.05")
    monkeypatch.setenv("PYTHONPATH", str(ROOT) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
