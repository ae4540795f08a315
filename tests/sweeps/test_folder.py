"""What may change from one call of a sweep to the next, and what is the same run."""

import json

import pytest

from tests.sweeps.stand_in import make_sweep, run
from tfrobust.commands.start.command_line import ROOT
from tfrobust.commands.sweep import COMMAND
from tfrobust.config.configuration import Configuration
from tfrobust.errors import UserError
from tfrobust.sweeps.folder import SweepFolder
from tfrobust.sweeps.grid import parse_grid


def test_what_is_done_is_skipped_and_values_may_be_added(tmp_path):
    run(make_sweep(tmp_path, ["BETA = 1"]))
    before = (tmp_path / "sweep" / "BETA=1" / "report.json").stat().st_mtime_ns
    sweep = make_sweep(tmp_path, ["BETA = 3"])
    run(sweep)
    assert (tmp_path / "sweep" / "BETA=1" / "report.json").stat().st_mtime_ns == before
    assert [p.name for p in sweep.folder.points] == ["BETA=1", "BETA=3"]
    assert "| 1 |" in (tmp_path / "sweep" / "sweep.md").read_text()


def test_a_suite_is_made_for_runs_that_are_there(tmp_path):
    run(make_sweep(tmp_path, ["BETA = 1"], gin_file="a"))
    before = (tmp_path / "sweep" / "BETA=1" / "report.json").stat().st_mtime_ns
    for suite in ("pgd_20", "autoattack"):
        sweep = make_sweep(tmp_path, ["BETA = 1"], suite=suite, gin_file="a")
        assert sweep.list_untrained() == [] and len(sweep.list_unjudged()) == 1
        run(sweep)
        assert f"| {suite} |" in (tmp_path / "sweep" / "sweep.md").read_text().replace("\\", "")
    assert (tmp_path / "sweep" / "BETA=1" / "report.json").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="under pgd_20 on all, and now it is 500 examples"):
        make_sweep(tmp_path, ["BETA = 1"], suite="pgd_20", gin_file="a", examples=500)
    with pytest.raises(UserError, match="gin_file: there 'a', now 'b'"):
        make_sweep(tmp_path, ["BETA = 1"], suite="pgd_20", gin_file="b")


def test_a_sweep_of_an_earlier_version_keeps_its_suite(tmp_path):
    (tmp_path / "sweep" / "BETA=1").mkdir(parents=True)
    point = {"values": [["BETA", "1"]], "seed": None}
    former = {"sweep": {"suite": "pgd_20", "examples": 500}, "points": [point]}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(former))
    with pytest.raises(UserError, match="on 500 examples, and now it is all"):
        make_sweep(tmp_path, ["BETA = 1"], suite="pgd_20")
    assert make_sweep(tmp_path, ["BETA = 1"], suite="pgd_20", examples=500).folder.suites == {
        "pgd_20": 500
    }


def test_a_value_written_in_another_way_is_the_same_run(tmp_path):
    run(make_sweep(tmp_path, ["BETA = 1, 3"]))
    sweep = make_sweep(tmp_path, ["BETA = 1.0, 30e-1, 4"])
    assert [p.name for p in sweep.folder.points] == ["BETA=1", "BETA=3", "BETA=4"]
    assert [p.name for p in sweep.missing()] == ["BETA=4"]
    with pytest.raises(UserError, match="share the folder 'size=x_y'"):
        one = SweepFolder(tmp_path / "words", {}, parse_grid(["a.size = 'x y'"]))
        with one.claim():
            (tmp_path / "words" / "size=x_y").mkdir()
            SweepFolder(tmp_path / "words", {}, parse_grid(["a.size = 'x:y'"]))


def test_lines_of_gin_may_be_written_in_another_way(tmp_path):
    run(make_sweep(tmp_path, ["BETA = 1"], gin_bindings=["EPOCHS=20", "a.b = 'x'"]))
    make_sweep(tmp_path, ["BETA = 1"], gin_bindings=["EPOCHS = 20.0", 'a.b = "x"'])
    with pytest.raises(UserError, match="gin_bindings: there"):
        make_sweep(tmp_path, ["BETA = 1"], gin_bindings=["EPOCHS = 21", "a.b = 'x'"])


def test_a_seed_of_the_gin_file_counts_once(tmp_path):
    """The fake run without a seed has seed 0, as many gin files have."""
    run(make_sweep(tmp_path, ["BETA = 1"]))
    sweep = make_sweep(tmp_path, ["BETA = 1"], (0, 4))
    run(sweep)
    table = (tmp_path / "sweep" / "sweep.md").read_text()
    # 51 and 55, not 51, 51 and 55.
    assert "| 1 | 2 of 2 | 90.00 ± 0.00 | 53.00 ± 2.83 |" in table
    assert len((tmp_path / "sweep" / "sweep.csv").read_text().splitlines()) == 1 + 3


def test_a_changed_gin_file_is_refused_whichever_values_are_asked_for(tmp_path, capfd):
    file, lines = tmp_path / "mine.gin", ["BETA = 1"]
    file.write_text("include 'gin/trades.gin'\nEPOCHS = 3\n")
    sweep = make_sweep(tmp_path, ["BETA = 1"], gin_file=str(file), gin_bindings=[], swept=["BETA"])
    run(sweep)
    record = {
        "seed": 0,
        "starts": [],
        "configuration": Configuration([str(file)], lines, ROOT).given,
    }
    (tmp_path / "sweep" / "BETA=1" / "run.json").write_text(json.dumps(record))

    def ask(values):
        words = [f"--gin_file={file}", f"--workdir={tmp_path / 'sweep'}", "--dry_run"]
        return COMMAND.main(["sweep", *words, f"--grid=BETA = {values}"])

    assert ask("1") == 0
    file.write_text("include 'gin/trades.gin'\nEPOCHS = 4\n")
    for values in ("1", "1, 3", "3"):
        capfd.readouterr()
        assert ask(values) == 2
        told = capfd.readouterr().err
        assert "BETA=1 holds a run with another configuration" in told and "+ EPOCHS = 4" in told


def test_other_folders_stay_untouched(tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "thesis.tex").write_text("three years")
    with pytest.raises(UserError, match="not empty"):
        make_sweep(tmp_path, ["BETA = 1"])


def test_a_sweep_of_which_nothing_was_begun_may_be_another_one(tmp_path):
    for grid in (["BETA = 8"], ["SIZE = 8"]):
        sweep = make_sweep(tmp_path, grid, gin_file=grid[0])
        with sweep.folder.claim():
            pass
        assert [point.name for point in sweep.folder.points] == [grid[0].replace(" ", "")]
    run(make_sweep(tmp_path, ["BETA = 1"], gin_file="a"))
    with pytest.raises(UserError, match="a sweep of something else"):
        make_sweep(tmp_path, ["SIZE = 8"], gin_file="b")
