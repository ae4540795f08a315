"""The README and the pages are true: their Python runs, the files they name exist, every method has a row."""

import pathlib
import re

import pytest

from tfrobust import recipes

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "robust_accuracy" in capsys.readouterr().out
    assert (tmp_path / "classifier.keras").is_file()


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#`]+)\)|src=\"([^\"]+)\"", text):
        target = "".join(target)
        assert "://" in target or (page.parent / target).exists(), target


def test_every_recipe_has_a_row():
    table = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert [name for name in recipes.__all__ if f"`{name}`" not in table] == []


def test_every_gin_file_begins_with_the_command_that_runs_it():
    for path in ROOT.glob("gin/*.gin"):
        name = path.relative_to(ROOT)
        assert f"python bin/train.py --gin_file={name}" in path.read_text(encoding="utf-8")
