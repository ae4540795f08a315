"""`tfrobust COMMAND`: each command has a page with examples that parse; what is misspelt is named."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

from tfrobust.commands.start.catalogue import NAMES, choose, load_command
from tfrobust.commands.start.command_line import LAUNCHER, ROOT
from tfrobust.commands.start.manual import list_examples
from tfrobust.errors import UserError
from tfrobust.version import __version__

# absl's own flags, which every program that parses with it gets.
FOREIGN = ["--alsologtostderr", "--logtostderr", "--pdb", "--run_with_profiling", "--flagfile"]


def read_page(name, capsys):
    assert load_command(name).main([f"tfrobust {name}", "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_a_page(name, capsys):
    page = read_page(name, capsys)
    command = load_command(name)
    summary, usage = page.split("\n\n")[:2]
    assert " ".join(summary.split()) == command.summary and command.summary[-1] == "."
    assert usage.startswith(f"Usage: tfrobust {name} ")
    assert page.index("Examples:") < page.index("\nFlags:\n") < page.index("\nExit status:")
    assert f"    tfrobust {name}" in page and ".py" not in page.partition("Flags:")[0]
    assert [flag for flag in FOREIGN if flag in page] == []
    flags = command.make_flags()
    assert set(re.findall(r"^  --(?:\[no\])?(\w+)", page, re.M)) == set(flags)
    # As a page of `bin/NAME.py` the same, but for what is called.
    command.main([f"bin/{name}.py", "--help"])
    assert f"Usage: python bin/{name}.py {command.usage}" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_the_terminal_and_writes_defaults_as_users_do(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page = read_page(name, capsys)
    # Examples, and what else is set in by four columns, stay as they are.
    wide = [line for line in page.splitlines() if len(line) > 80 and not line.startswith("    ")]
    assert wide == [] and "Default: '" not in page and "Default: true" not in page
    values = load_command(name).make_flags()
    for flag in (values[flag] for flag in values):
        if isinstance(flag.default, int):
            expected = f"--{flag.name}." if flag.boolean else f"{flag.default}."
            begin = f"\n  --[no]{flag.name}\n" if flag.boolean else f"\n  --{flag.name}="
            own = page.partition("\nFlags:")[2].partition(begin)[2]
            own = " ".join(own.partition("\n  --")[0].split())
            assert (f"Default: {expected}" in own) is not (flag.default is False), flag.name


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--gin_flie=x", "There is no flag --gin_flie. Did you mean --gin_file? See --help."),
        ("--zzz", "There is no flag --zzz. See --help."),
        ("--resume=maybe", "--resume must be one of auto, never, must. Received: 'maybe'."),
        ("--verbosity=x", "--verbosity must be an integer in the range [0, 1]. Received: 'x'."),
        ("--dry_run=x", "--dry_run must be true or false. Received: 'x'."),
    ],
)
def test_a_flag_that_cannot_be_says_what_was_meant(argument, told, capsys):
    assert load_command("train").main(["train", argument]) == 2
    assert capsys.readouterr().err.startswith(f"error: {told}")


@pytest.mark.parametrize("name", NAMES)
def test_three_examples_parse(name):
    command = load_command(name)
    examples = list_examples(command.text, name)
    assert len(examples) >= 3
    for example in examples:
        _, *rest = command.make_flags()([name, *example])
        assert bool(rest) <= (command.arguments is not None), example
        files = [a.partition("=")[2] for a in example if a.startswith("--gin_file=")]
        assert [file for file in files if not (ROOT / file).is_file()] == []


def test_the_overview_names_every_command():
    name, text = choose([])
    assert name == "" and choose(["--help"]) == choose(["help"]) == ("", text)
    for other in NAMES:
        assert f"\n  {other:12} {load_command(other).summary}\n" in text
    assert choose(["--version"]) == ("", f"tfrobust {__version__}")
    assert choose(["train", "--help"]) == ("train", "")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("trian", "Did you mean 'train'?"),
        ("Evaluate", "Did you mean 'evaluate'?"),
        ("paper-table", "Did you mean 'paper_table'?"),
        ("zzz", "There is no command 'zzz'. tfrobust --help"),
        ("--gin_file=x", "Give the command first"),
    ],
)
def test_what_is_misspelt_is_named(word, told):
    with pytest.raises(UserError, match=re.escape(told)):
        choose([word])


def test_what_is_told_names_the_console_command():
    """Who has installed a wheel has no `bin/`: no message and no report may send him there."""
    found = []
    for path in sorted((ROOT / "tfrobust").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body
            if isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                # `--help` replaces what stands in the text of a command.
                if id(node) not in texts and re.search(r"\bbin/\w+\.py\b", node.value):
                    found.append(f"{path.name}: {node.value}")
    found += [
        path.name
        for path in (ROOT / "tfrobust").rglob("*.jinja")
        if re.search(r"\bbin/\w+\.py\b", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def call(*arguments, cwd):
    return subprocess.run(
        [*LAUNCHER, *arguments], capture_output=True, text=True, cwd=cwd, timeout=300
    )


def test_packaged_files_are_found_anywhere_and_own_ones_go_first(tmp_path):
    """Without TensorFlow, by the launcher that sweeps use too."""
    assert LAUNCHER[0] == sys.executable and pathlib.Path(LAUNCHER[1]).is_file()
    # The packaged file is read, and only then is the unknown macro seen.
    ran = call("train", "--gin_file=gin/trades_mer.gin", "--gin_bindings=EPOCS = 1", cwd=tmp_path)
    assert ran.returncode == 2 and "Did you mean 'EPOCHS'?" in ran.stderr
    (tmp_path / "gin").mkdir()
    (tmp_path / "gin" / "trades_mer.gin").write_text("MINE = 1\n")
    ran = call("train", "--gin_file=gin/trades_mer.gin", cwd=tmp_path)
    assert ran.returncode == 2 and "MINE" in ran.stderr
    ran = call("trian", cwd=tmp_path)
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1 and "'train'" in ran.stderr
    ran = call("help", "train", cwd=tmp_path)
    assert ran.returncode == 0 and ran.stdout.startswith("Trains a robust classifier")
