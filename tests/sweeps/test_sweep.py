"""A sweep of commands that take no time, and one of real runs."""

import sys
import time

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfrobust.commands.parts.plan import print_plan
from tfrobust.errors import Interrupted, UserError
from tfrobust.runs.signals import AskedToStop
from tfrobust.sweeps.folder import SweepFolder
from tfrobust.sweeps.grid import parse_grid
from tfrobust.sweeps.results import Group, Result
from tfrobust.sweeps.sweep import Sweep
from tfrobust.sweeps.work import Task, run_tasks

# Leaves what a run leaves, with an accuracy that follows from BETA; 7 diverges, 8 is refused.
TRAIN = """
import json, pathlib, re, sys
given = dict(a.removeprefix("--").split("=", 1) for a in sys.argv[1:] if not a.startswith("--gin_b"))
lines = [a.split("=", 1)[1] for a in sys.argv[1:] if a.startswith("--gin_b")]
bound = {k.strip(): float(v) for k, v in (line.split("=") for line in lines)}
print("started", bound)
if bound["BETA"] in (7, 8):
    print("error: no such beta")
    sys.exit({7: 3, 8: 2}[bound["BETA"]])
folder = pathlib.Path(given["workdir"])
(folder / "export").mkdir(parents=True)
right = int(50 + bound["BETA"] + bound.get("training.train.seed", 0))
counts = {"right": right, "total": 100, "interval": [0.1, 0.9]}
report = {"method": "TRADES", "data": "digits", "threat_model": "Linf(epsilon=0.15)", "gin_files": [],
          "clean": {**counts, "right": 90}, "robust": counts, "training_seconds": 2.0,
          "test_attack": "PGD", "seed": bound.get("training.train.seed", 0)}
rows = "".join(f"{i},true,{'true' if i < right else 'false'}\\n" for i in range(100))
(folder / "test_examples.csv").write_text("id,clean_right,robust\\n" + rows)
(folder / "report.md").write_text("")
(folder / "export" / "export.json").write_text("{}")
(folder / "report.json").write_text(json.dumps(report))
"""
EVALUATE = """
import json, pathlib, sys
given = dict(a.removeprefix("--").split("=", 1) for a in sys.argv[1:])
folder = pathlib.Path(given["workdir"])
folder.mkdir(parents=True)
(folder / "report.json").write_text(json.dumps({"tfrobust": {"schema": 1, "robust": {"accuracy": 0.25}}}))
"""
NEVER = AskedToStop(lambda: False)


def make_sweep(tmp_path, grid, seeds=(), suite=None, **shared):
    for name, text in (("train", TRAIN), ("evaluate", EVALUATE)):
        (tmp_path / f"{name}.py").write_text(text)
    folder = SweepFolder(tmp_path / "sweep", {"suite": suite, **shared}, parse_grid(grid, seeds))
    commands = {n: (sys.executable, str(tmp_path / f"{n}.py")) for n in ("train", "evaluate")}
    return Sweep(folder, commands, "gin/trades.gin", suite=suite)


def run(sweep, jobs=2, stop=NEVER):
    told = []
    with sweep.folder.claim():
        failed = sweep.run(jobs, stop, told.append)
    return failed, told


def test_all_runs_are_made_evaluated_and_tabled(tmp_path):
    sweep = make_sweep(tmp_path, ["BETA = 1, 3"], (0, 2), suite="pgd_20")
    assert len(sweep.missing()) == 4
    failed, told = run(sweep)
    assert failed == [] and len(told) == 4
    assert not sweep.missing()
    table = (tmp_path / "sweep" / "sweep.md").read_text()
    # Mean and sample deviation of 51 and 53, and of 53 and 55.
    assert "| 1 | 2 of 2 | 90.00 ± 0.00 | 52.00 ± 1.41 | 25.00 ± 0.00 |  | 2 s |" in table
    assert "| 3 | 2 of 2 | 90.00 ± 0.00 | 54.00 ± 1.41 |" in table
    rows = (tmp_path / "sweep" / "sweep.csv").read_text().splitlines()
    assert rows[0] == "BETA,seed,clean,robust,suite,training_seconds"
    assert rows[2] == "1,2,0.9,0.53,0.25,2.0"
    assert (tmp_path / "sweep" / "sweep.png").stat().st_size > 1000
    assert "Under pgd\\_20:" in table or "Under pgd_20:" in table
    assert "BETA 1, BETA 3 are not compared: there is no examples.csv" in table


def test_rows_are_compared_under_the_test_attack(tmp_path):
    run(make_sweep(tmp_path, ["BETA = 1, 3, 30"], (0, 1, 2)))
    table = (tmp_path / "sweep" / "sweep.md").read_text()
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    assert [row[-2] for row in rows] == ["b", "b", "a"]
    assert "Under the test attack:" in table
    told = [line for line in table.splitlines() if line.startswith("- BETA")]
    assert [line.split(":")[0] for line in told] == [
        "- BETA 30 is more robust than BETA 3",
        "- BETA 30 is more robust than BETA 1",
        "- BETA 3 is more robust than BETA 1",
    ]
    assert "training seeds (3)" in table


def test_further_flags_go_to_the_command_that_has_them(tmp_path):
    sweep = make_sweep(tmp_path, ["BETA = 1"], suite="pgd_20")
    sweep.flags = {"train": ("--scale=small",), "evaluate": ("--examples=500",)}
    run(sweep)
    log = (tmp_path / "sweep" / "logs" / "BETA=1.log").read_text()
    calls = [line for line in log.splitlines() if line.startswith("$")]
    assert ["--scale=small" in call for call in calls] == [True, False]
    assert ["--examples=500" in call for call in calls] == [False, True]


def test_tensorboard_compares_the_runs(tmp_path):
    sweep = make_sweep(tmp_path, ["BETA = 1, 3"])
    run(sweep)
    root = tmp_path / "sweep" / "tensorboard"
    events = EventAccumulator(str(root / "BETA=3")).Reload()
    metadata = events.SummaryMetadata("_hparams_/session_start_info")
    assert metadata.plugin_data.plugin_name == "hparams"
    (event,) = events.Tensors("sweep/robust")
    assert tf.make_ndarray(event.tensor_proto) == pytest.approx(0.53)


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
    with pytest.raises(UserError, match="suite: there None, now 'pgd_20'"):
        make_sweep(tmp_path, ["BETA = 1"], suite="pgd_20", gin_file="a")


def test_a_run_that_diverges_stops_nothing(tmp_path):
    failed, told = run(make_sweep(tmp_path, ["BETA = 7, 1"]), jobs=1)
    assert failed == ["BETA=7"]
    assert "diverged" in told[0] and "no such beta" in told[0]
    assert "| 7 | 0 of 1 | not run |" in (tmp_path / "sweep" / "sweep.md").read_text()


def test_a_refusal_begins_no_further_run(tmp_path):
    sweep = make_sweep(tmp_path, ["BETA = 8, 1"])
    with pytest.raises(UserError, match="BETA=8: error: no such beta"):
        run(sweep, jobs=1)
    assert not (tmp_path / "sweep" / "BETA=1").exists()


def test_other_folders_stay_untouched(tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "thesis.tex").write_text("three years")
    with pytest.raises(UserError, match="not empty"):
        make_sweep(tmp_path, ["BETA = 1"])


def test_a_stop_reaches_every_run(tmp_path):
    waits = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
    waits += "open(sys.argv[1], 'w').close()\ntime.sleep(60)\n"
    tasks = [
        Task(
            str(i),
            ((sys.executable, "-c", waits, str(tmp_path / f"up{i}")),),
            tmp_path / f"{i}.log",
        )
        for i in range(3)
    ]
    began, ended = time.monotonic(), []
    stop = AskedToStop(lambda: (tmp_path / "up0").exists() and (tmp_path / "up1").exists())
    run_tasks(tasks, 2, stop, lambda task, status: ended.append(task) or True)
    assert time.monotonic() - began < 50
    assert ended == [] and not (tmp_path / "up2").exists()


def test_an_interrupted_sweep_says_how_to_go_on(tmp_path):
    with pytest.raises(Interrupted, match="[Gg]ive the same command again"):
        run(make_sweep(tmp_path, ["BETA = 1"]), stop=AskedToStop(lambda: True))


def test_means_leave_out_what_was_not_measured():
    group = Group((), tuple(Result(None, a) for a in ({"clean": 0.5}, {}, {"clean": 0.7})))
    assert group.mean("clean") == pytest.approx(0.6)
    assert group.deviation("clean") == pytest.approx(0.1414, abs=1e-4)
    assert group.mean("robust") is None and group.deviation("robust") is None


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
    assert f"the 5 that are missing take {time} with {jobs} at a time" in told
    assert ("share the processor" in told) == (jobs > 1)
