"""Tables of docs/results.md are what the page's commands print of the verdicts in docs/verdicts."""

import pathlib
import re
import subprocess

import pytest

from tfrobust.commands.compare import COMMAND

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
KEPT = ROOT / "docs" / "verdicts"
BLOCKS = [
    block
    for block in re.findall(r"^```\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    if "--workdir=docs/verdicts/" in block
]
# Bash takes the block apart; what it would run is printed instead, a word a line.
SHOW = "python() { printf '%s\\n' \"$@\"; }\n"


def read_words(block):
    """The words of the one command `python bin/compare.py ...` of a block, in bash's reading."""
    told = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", SHOW + block],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    script, *words = told.stdout.splitlines()
    assert script == "bin/compare.py"
    return words


@pytest.mark.parametrize("block", BLOCKS)
def test_a_kept_table_is_printed_again(block, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    words = read_words(block)
    assert "--norun" in words and "--readme=docs/results.md" in words
    (markers,) = [word.removeprefix("--markers=") for word in words if word[:10] == "--markers="]
    place = rf"<!-- {markers}: begin -->\n(.*?)<!-- {markers}: end -->"
    shown = re.search(place, PAGE.read_text(encoding="utf-8"), re.S)[1]
    assert COMMAND.main(["compare", *(w for w in words if not w.startswith("--readme="))]) == 0
    # On the page links begin at its folder.
    assert capsys.readouterr().out.endswith("\n" + shown.replace("](../gin/", "](gin/"))


def test_all_that_is_kept_is_in_a_table():
    folders = {path.name for path in KEPT.iterdir()}
    assert folders == {re.search(r"--workdir=docs/verdicts/(\w+)", b)[1] for b in BLOCKS}
    kinds = {path.name for path in KEPT.rglob("*") if path.is_file()}
    assert kinds == {"run.json", "report.json", "autoattack.json"}
