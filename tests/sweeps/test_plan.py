"""What a sweep takes, and whether it can be judged, before any of its runs begins."""

import json
import sys

import pytest

from tests.sweeps.stand_in import make_sweep, run
from tfrobust.commands.parts.plan import Evaluations, print_plan
from tfrobust.commands.sweep import COMMAND
from tfrobust.runs.reports.run_report import read_duration


@pytest.mark.parametrize(
    ("plan", "took", "jobs", "time"),
    [
        ("estimated time    1 min 15 s, without the final test", (), 1, "6 min 15 s"),
        ("estimated time    1 min 15 s, without the final test", (), 2, "3 min 45 s"),
        ("estimated time    1 h 30 min, without the final test", (), 5, "1 h 30 min"),
        ("", (80.0, 100.0), 3, "3 min 0 s"),
    ],
)
def test_a_plan_says_how_long_all_runs_take(plan, took, jobs, time, capfd):
    assert print_plan(took, "one", [sys.executable, "-c", f"print({plan!r})"], 5, jobs) == 0
    told = capfd.readouterr().out
    assert f"what is missing (5 runs) takes {time} with {jobs} at a time" in told
    assert ("share the processor" in told) == (jobs > 1)
    assert "Evaluations come on top." in told


@pytest.mark.parametrize(
    ("missing", "evaluations", "told"),
    [
        (
            2,
            Evaluations(4, (30.0,)),
            "what is missing (2 runs and 4 evaluations) takes 4 min 0 s",
        ),
        (0, Evaluations(3, (30.0, 50.0)), "what is missing (3 evaluations) takes 2 min 0 s"),
        (
            1,
            Evaluations(1, ()),
            "what is missing (1 run) takes 1 min 0 s with 1 at a time. The 1",
        ),
        (0, Evaluations(3, ()), "The 3 evaluations come on top: none has ended yet."),
        (2, Evaluations(0, ()), "what is missing (2 runs) takes 2 min 0 s with 1 at a time.\n"),
    ],
)
def test_a_plan_counts_trainings_and_evaluations_by_themselves(missing, evaluations, told, capfd):
    assert print_plan((50.0, 70.0), "one", ["unused"], missing, 1, evaluations) == 0
    assert told in capfd.readouterr().out


def test_a_run_took_its_test_and_export_too(tmp_path):
    """From start to end; of one with several starts what it trained and tested, not what lay between."""
    run(make_sweep(tmp_path, ["BETA = 1"]))
    folder = tmp_path / "sweep" / "BETA=1"
    report = json.loads((folder / "report.json").read_text())

    def took(*ends):
        times = [(began, ended and f"2026-01-01T{ended}+00:00") for began, ended in ends]
        starts = [{"started": f"2026-01-01T{a}+00:00", "ended": b} for a, b in times]
        (folder / "run.json").write_text(json.dumps({"seed": 0, "starts": starts}))
        return read_duration(folder)

    report = {**report, "gin_bindings": [], "test_seconds": 3.0}
    (folder / "report.json").write_text(json.dumps(report))
    assert took(("10:00:00", "10:01:07")) == 67.0
    assert took(("10:00:00", None)) == took(("10:00:00", None), ("11:00:00", "11:00:01")) == 5.0


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        (
            "atlas_blackbox",
            "tfrobust evaluate --model=RUN --suite=atlas_blackbox --surrogate=OTHER_RUN",
        ),
        ("rat_l2", "is made for L2. Received: norm Linf."),
        ("pgd20", "There is no suite 'pgd20'"),
    ],
)
def test_a_suite_that_cannot_judge_the_runs_is_told_before_hours_of_training(
    tmp_path, suite, told, capsys
):
    words = ["--gin_file=gin/trades.gin", "--seeds=0", f"--workdir={tmp_path / 'sweep'}"]
    assert COMMAND.main(["sweep", *words, f"--suite={suite}"]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()
