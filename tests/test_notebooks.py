"""The notebooks are the tutorials, without outputs. CI executes them at a small scale.

.ci/run_notebooks.py, or: python -m pytest -m slow tests/test_notebooks.py
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runner():
    return script("run_notebooks")


def test_there_is_one_for_each_tutorial_that_has_one(runner):
    names = sorted(script("make_notebooks").NAMES)
    assert [path.stem for path in PATHS] == names == sorted(runner.EXPECTED)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_says_what_the_page_says(path):
    page = ROOT / "docs" / "tutorials" / f"{path.stem}.md"
    made = script("make_notebooks").make_notebook(page.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == made, "python .ci/make_notebooks.py"
    cells = json.loads(made)["cells"]
    assert all(not cell.get("outputs") for cell in cells)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_all_are_made_smaller_in_the_same_way(path, runner):
    notebook = runner.with_scale(nbformat.read(path, as_version=4), 0.25)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code[:2] == ["SCALE = 1.0", "SCALE = 0.25"]
    assert any("share(" in source for source in code[2:])


def shown(lines, images=1):
    outputs = [new_output("stream", name="stdout", text="\n".join([*lines, ""]))]
    outputs += [new_output("display_data", {"image/png": ""})] * images
    return new_notebook(cells=[new_code_cell("", outputs=outputs)])


def test_what_a_reader_would_miss_is_said(runner):
    before, after = "before: clean 97%, robust 2%", "after: clean 90%, robust 61%"
    assert runner.judge("fine_tune", shown([before, after])) == []
    assert "one picture" in runner.judge("fine_tune", shown([before, after], images=0))
    (lost,) = runner.judge("fine_tune", shown([before, "after: clean 90%, robust 2%"]))
    assert "higher afterwards" in lost
    (impossible,) = runner.judge("fine_tune", shown([before, "after: clean 60%, robust 61%"]))
    assert "within clean" in impossible
    (absent,) = runner.judge("fine_tune", shown([after]))
    assert "before, after" in absent


@pytest.mark.slow
def test_they_run(tmp_path):
    ran = subprocess.run(
        [sys.executable, ROOT / ".ci" / "run_notebooks.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]
