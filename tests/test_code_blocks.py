"""The code of README.md and docs/ runs as it stands there.

Dear pages: python -m pytest -m slow tests/test_code_blocks.py

A page's Python blocks run one after the other, in one namespace and an empty folder; what they write
lies there. Commands are parsed by the flags of the command itself, and the files of `gin/` that they name
exist. A comment before a block says what else holds for it:

- `<!-- not run: REASON -->`: it is left alone, such as a line that needs what is not here;
- `<!-- needs: MODULE -->`: it is run where that is installed, and left alone elsewhere;
- `<!-- file: NAME -->`: it is written there first, and the others can import it; pages of nothing else,
  or `<!-- insert: NAME -->`, have a test of their own that does as they say;
- `<!-- slow: REASON -->`, once on a page: its Python takes long, and runs with `-m slow`.
"""

import importlib
import importlib.util
import pathlib
import re
import shlex

import pytest
from absl import flags

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:^<!-- ([\w ]+)(?:: ([^\n]*?))? -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)
PYTHON, COMMANDS = ("python",), ("", "bash", "sh")
# `python bin/train.py`, also of an environment, or `tfrobust train`.
COMMAND = re.compile(r"(?:python3? bin/(\w+)\.py|(?<![\w./])tfrobust (\w+))\b(.*)$")
SLOW = re.compile(r"^<!-- slow: .+ -->$", re.M)
# Whose Python a test of their own runs: test_readme.py, test_own_train_step.py, test_soft_labels_page.py.
ELSEWHERE = {"README.md", "own_train_step.md", "soft_labels.md"}
MARKS = {None, "not run", "needs", "file", "insert", "run", "ci"}


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page, languages):
    """(mark, what it says, text) of a page's blocks."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(mark or None, why, text) for mark, why, kind, text in found if kind in languages]


def python_of(page):
    """The blocks to run, with whoever marks one aside."""
    return [
        text
        for mark, why, text in blocks(page, PYTHON)
        if mark not in ("not run", "file", "insert")
        and (mark != "needs" or importlib.util.find_spec(why))
    ]


def commands_of(page):
    """(name of the command, its words) for each command line of a page."""
    found = []
    for mark, _, text in blocks(page, COMMANDS):
        if mark in ("not run", "file"):
            continue
        for line in text.replace("\\\n", " ").splitlines():
            if match := COMMAND.search(line.split("  #")[0]):
                found.append((match[1] or match[2], shlex.split(match[3].split(" && ")[0])))
    return found


def cases(slow):
    chosen = []
    for page in PAGES:
        # The README's own test runs it.
        if (
            page.name != "README.md"
            and python_of(page)
            and bool(SLOW.search(page.read_text(encoding="utf-8"))) == slow
        ):
            # Other tools warn of what is theirs to change.
            others = [pytest.mark.filterwarnings("default")] if page.stem == "other_tools" else []
            chosen.append(pytest.param(page, id=name_of(page), marks=others))
    return chosen


def run_page(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for mark, name, text in blocks(page, PYTHON):
        if mark == "file":
            (folder / name).write_text(text, encoding="utf-8")
    names: dict = {"__name__": "page"}
    for text in python_of(page):
        exec(compile(text, name_of(page), "exec"), names)


@pytest.mark.parametrize("page", cases(slow=False))
def test_python_runs(page, tmp_path, monkeypatch):
    run_page(page, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", cases(slow=True))
def test_dear_python_runs(page, tmp_path, monkeypatch):
    run_page(page, tmp_path, monkeypatch)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_marks_are_known_and_give_a_reason(page):
    for mark, why, text in blocks(page, PYTHON + COMMANDS):
        assert mark in MARKS or mark == "slow", f"{mark}: {text[:60]}"
        assert mark != "not run" or why, text[:60]


def command_of(name):
    return importlib.import_module(f"tfrobust.commands.{name}").COMMAND


def defined_flags(name):
    values = flags.FlagValues()
    command_of(name).define(values)
    return values


def parse(name, words):
    """Reads a command line as the command itself does."""
    _, *arguments = defined_flags(name)([name, *words])
    assert command_of(name).arguments or not arguments, arguments


@pytest.mark.parametrize("page", [p for p in PAGES if commands_of(p)], ids=name_of)
def test_commands_are_ones_that_their_flags_accept(page):
    for name, words in commands_of(page):
        known = set(defined_flags(name)) | {"help"}
        if any(re.search(r"[A-Z]{3,}(?![\w']*=)|\$|\.\.\.", word) for word in words):
            # With a place to fill in: the names of its flags.
            named = {word.split("=")[0][2:] for word in words if re.match(r"--\w", word)}
            assert {name if name in known else name.removeprefix("no") for name in named} <= known
            continue
        parse(name, words)
        for word in words:
            path = word.split("=", 1)[-1]
            if path.startswith("gin/") and "*" not in path:
                assert (ROOT / path).exists(), f"{page.name}: {path}"
