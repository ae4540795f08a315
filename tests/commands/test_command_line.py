"""What all commands share: help, one line for what cannot work, statuses."""

import errno
import importlib
import pathlib
import subprocess
import sys

import pytest

from tfrobust.commands.start import catalogue
from tfrobust.commands.start.command_line import Command, run_and_tell, use_data_dir
from tfrobust.errors import Interrupted, NotFiniteError, UserError, one_line

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = sorted({p.stem for p in (ROOT / "bin").glob("*.py")} - {"tfrobust_command"})


def command(name):
    return importlib.import_module(f"tfrobust.commands.{name}").COMMAND


def test_every_script_is_a_command():
    assert NAMES == sorted(catalogue.NAMES)
    for name in NAMES:
        assert command(name).name == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help_lists_the_flags(name, flag, capsys):
    assert command(name).main([name, flag]) == 0
    out, err = capsys.readouterr()
    assert err == "" and "Exit status:" in out and "Flags:" in out


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_that_does_not_exist_is_one_line(name, capsys):
    assert command(name).main([name, "--no_such_flag=3"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("error: ") and "no_such_flag" in err and "--help" in err


def test_the_script_gives_the_status_to_the_shell(tmp_path):
    ran = subprocess.run(
        [sys.executable, str(ROOT / "bin" / "table.py"), "nowhere"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.returncode == 2 and ran.stdout == ""
    assert "error: There is no nowhere." in ran.stderr and "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("a b\n  In call to configurable 'train' (x)"), 2, "error: a b"),
        (UserError("a\n \x1b[1mb\x1b[0m\x07"), 2, "error: a b\\x07"),
        (NotFiniteError("The loss became nan."), 3, "diverged: The loss became nan."),
        (Interrupted("Kept."), 75, "interrupted: Kept. Give the same command again to go on."),
        (Interrupted("Kept.", "Start all."), 75, "interrupted: Kept. Start all."),
        (KeyboardInterrupt(), 75, "interrupted: Stopped at once; what was saved before stays."),
        (
            OSError(errno.ENOSPC, "No space left on device", "r/x"),
            2,
            "error: r/x: No space left on",
        ),
        (
            MemoryError("Unable to allocate 3 TiB"),
            2,
            "error: Not enough memory: Unable to allocate 3",
        ),
    ],
)
def test_errors_are_one_line_and_a_status(error, status, line, capsys):
    def run():
        raise error

    assert run_and_tell(run) == status
    _, err = capsys.readouterr()
    assert err.startswith(line) and err.count("\n") == 1


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_and_tell(lambda: 1 / 0)


def test_a_long_error_is_cut():
    assert len(one_line(UserError("9" * 10**6))) < 1100
    assert one_line(ValueError()) == "ValueError"


def test_a_command_without_arguments_refuses_them_and_one_with_them_gets_them(capsys):
    seen = []
    plain = Command("plain", "", lambda values: None, lambda values: seen.append(values))
    assert plain.main(["plain", "x"]) == 2 and seen == []
    assert "'x'" in capsys.readouterr().err
    taking = Command(
        "taking", "", lambda v: None, lambda v, rest: seen.append(rest), arguments="things"
    )
    assert taking.main(["taking", "x", "y"]) == 0 and seen == [["x", "y"]]


def test_the_data_folder_is_given_back(monkeypatch):
    import os

    monkeypatch.setenv("TFDS_DATA_DIR", "mine")
    with use_data_dir("theirs"):
        assert os.environ["TFDS_DATA_DIR"] == "theirs"
    assert os.environ["TFDS_DATA_DIR"] == "mine"
    with use_data_dir(None):
        assert os.environ["TFDS_DATA_DIR"] == "mine"
    monkeypatch.delenv("TFDS_DATA_DIR")
    with use_data_dir("theirs"):
        assert os.environ["TFDS_DATA_DIR"] == "theirs"
    assert "TFDS_DATA_DIR" not in os.environ
