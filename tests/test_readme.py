"""The README is true: its Python runs, its files exist, its results come from reports."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "robust_accuracy" in capsys.readouterr().out
    assert (tmp_path / "classifier.keras").is_file()


def test_every_link_leads_to_a_file():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert "://" in target or (ROOT / target).exists(), target


def test_every_gin_file_begins_with_the_command_that_runs_it():
    for path in ROOT.glob("gin/*.gin"):
        name = path.relative_to(ROOT)
        assert f"python bin/train.py --gin_file={name}" in path.read_text(encoding="utf-8")
