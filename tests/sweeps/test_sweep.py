"""A sweep of commands that take no time, and one of real runs."""

import json
import signal
import sys
import time

import filelock
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata

from tfrobust.commands.parts.plan import Evaluations, print_plan
from tfrobust.commands.start.command_line import ROOT
from tfrobust.commands.sweep import COMMAND, SIGNALS
from tfrobust.config.configuration import Configuration
from tfrobust.errors import Interrupted, UserError
from tfrobust.runs import kinds
from tfrobust.runs.reports.run_report import read_duration
from tfrobust.runs.signals import AskedToStop, StopRequest
from tfrobust.sweeps.folder import SweepFolder
from tfrobust.sweeps.grid import Point, parse_grid
from tfrobust.sweeps.hparams import write_hparams
from tfrobust.sweeps.results import Group, Result
from tfrobust.sweeps.sweep import Sweep
from tfrobust.sweeps.work import Task, run_tasks

# Leaves what a run leaves, with an accuracy that follows from BETA; 7 diverges, 8 is refused, 9 is killed.
TRAIN = """
import json, os, pathlib, re, signal, sys
given = dict(a.removeprefix("--").split("=", 1) for a in sys.argv[1:] if not a.startswith("--gin_b"))
lines = [a.split("=", 1)[1] for a in sys.argv[1:] if a.startswith("--gin_b")]
bound = {k.strip(): float(v) for k, v in (line.split("=") for line in lines)}
print("started", bound)
if bound["BETA"] == 9:
    os.kill(os.getpid(), signal.SIGKILL)
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


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["1", "3.5", "1e-3"], "DATA_TYPE_FLOAT64", [0.001, 1.0, 3.5]),
        (["True", "False"], "DATA_TYPE_BOOL", [False, True]),
        (["@a.b", "None", "2"], "DATA_TYPE_STRING", ["2", "@a.b", "None"]),
        (["1e999", "2"], "DATA_TYPE_STRING", ["1e999", "2"]),
    ],
)
def test_columns_of_the_dashboard_have_their_kind_and_values(tmp_path, texts, kind, values):
    """Read by TensorBoard's own parser: without a kind a column is no axis and cannot be filtered."""
    folder = SweepFolder(
        tmp_path, {"suite": "pgd_20"}, parse_grid(["a.size = " + ", ".join(texts)])
    )
    points = [Point((("a.size", text),), seed) for seed, text in enumerate(texts)]
    write_hparams(folder, [Result(point, {"clean": 0.5, "suite": 0.25}) for point in points])
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    content = events.SummaryMetadata("_hparams_/experiment").plugin_data.content
    found = metadata.parse_experiment_plugin_data(content)
    size, seed = found.hparam_infos
    assert api_pb2.DataType.Name(size.type) == kind
    assert list(json_format.MessageToDict(size.domain_discrete)) == values
    assert list(json_format.MessageToDict(seed.domain_discrete)) == [*map(float, range(len(texts)))]
    titles = [metric.display_name for metric in found.metric_infos]
    assert titles == ["clean accuracy", "robust accuracy, pgd_20"]


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


def test_a_run_that_diverges_or_is_killed_stops_nothing(tmp_path):
    failed, told = run(make_sweep(tmp_path, ["BETA = 7, 1, 9"]), jobs=1)
    assert failed == ["BETA=7", "BETA=9"]
    assert (
        "BETA=9  was killed by SIGKILL, as a system does that runs out of memory: started"
        in told[2]
    )
    assert "diverged" in told[0] and "no such beta" in told[0]
    assert "| 7 | 0 of 1 | not run |" in (tmp_path / "sweep" / "sweep.md").read_text()


def test_a_refusal_at_once_begins_no_further_run(tmp_path):
    sweep = make_sweep(tmp_path, ["BETA = 8, 1"])
    with pytest.raises(UserError, match="BETA=8: error: no such beta"):
        run(sweep, jobs=1)
    assert not (tmp_path / "sweep" / "BETA=1").exists()


def test_a_refusal_among_others_keeps_none_of_them_waiting(tmp_path):
    failed, told = run(make_sweep(tmp_path, ["BETA = 1, 8, 3"]), jobs=1)
    assert failed == ["BETA=8"] and "failed with status 2: error: no such beta" in told[1]
    assert [p.name for p in make_sweep(tmp_path, ["BETA = 1, 8, 3"]).missing()] == ["BETA=8"]
    assert "| 8 | 0 of 1 | not run |" in (tmp_path / "sweep" / "sweep.md").read_text()


def test_no_run_outlives_a_sweep_that_ends_by_an_error(tmp_path):
    up, down = tmp_path / "up", tmp_path / "down"
    waits = f"import pathlib, signal, sys, time\nup, down = map(pathlib.Path, {[str(up), str(down)]!r})\n"
    waits += "signal.signal(signal.SIGTERM, lambda *_: (down.touch(), sys.exit(75)))\n"
    waits += "up.touch()\ntime.sleep(60)\n"
    quick = (
        f"import pathlib, time\nwhile not pathlib.Path({str(up)!r}).exists(): time.sleep(0.01)\n"
    )
    tasks = [
        Task(str(i), ((sys.executable, "-c", text),), tmp_path / f"{i}.log")
        for i, text in enumerate((waits, quick))
    ]

    def fail(task, status):
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        run_tasks(tasks, 2, NEVER, fail)
    assert down.exists()


def test_a_run_that_a_killed_sweep_left_behind_is_waited_for(tmp_path):
    """Others go first; while the left one holds its folder, nothing begins in it."""
    sweep = make_sweep(tmp_path, ["BETA = 1, 3"])
    left = tmp_path / "sweep" / "BETA=1"
    left.mkdir(parents=True)
    lines = []

    def tell(line):
        lines.append(line)
        if line.startswith("BETA=3  done"):
            lock.release()

    lock = filelock.FileLock(left / ".lock")
    (tmp_path / "sweep" / "sweep.json").write_text('{"sweep": {}, "points": []}')
    lock.acquire()
    with sweep.folder.claim():
        assert sweep.run(2, NEVER, tell) == []
    assert [line.split(":")[0].split("  ")[:2] for line in lines] == [
        ["BETA=1", "waits"],
        ["BETA=3", "done"],
        ["BETA=1", "done"],
    ]


def test_only_another_process_is_waited_for(tmp_path):
    """A folder that cannot be locked at all is for the run to refuse, and nothing waits for it for ever."""
    assert not kinds.is_claimed(tmp_path / "absent") and not kinds.is_claimed(tmp_path)
    lock = filelock.FileLock(tmp_path / ".lock")
    with lock:
        assert kinds.is_claimed(tmp_path)
    assert not kinds.is_claimed(tmp_path)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / ".lock").symlink_to(tmp_path / ".lock")
    with lock:
        assert not kinds.is_claimed(tmp_path / "link")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal here")
def test_the_end_of_the_terminal_stops_a_sweep_but_not_under_nohup():
    for former, received in ((signal.SIG_DFL, signal.SIGHUP), (signal.SIG_IGN, None)):
        kept = signal.signal(signal.SIGHUP, former)
        try:
            with StopRequest(SIGNALS) as stop:
                signal.raise_signal(signal.SIGHUP)
                assert stop.received is received
            assert signal.getsignal(signal.SIGHUP) is former
        finally:
            signal.signal(signal.SIGHUP, kept)


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


def test_a_sweep_of_which_nothing_was_begun_may_be_another_one(tmp_path):
    for grid in (["BETA = 8"], ["SIZE = 8"]):
        sweep = make_sweep(tmp_path, grid, gin_file=grid[0])
        with sweep.folder.claim():
            pass
        assert [point.name for point in sweep.folder.points] == [grid[0].replace(" ", "")]
    run(make_sweep(tmp_path, ["BETA = 1"], gin_file="a"))
    with pytest.raises(UserError, match="a sweep of something else"):
        make_sweep(tmp_path, ["SIZE = 8"], gin_file="b")


def test_tables_that_take_long_are_written_seldom(tmp_path, monkeypatch):
    """Each write takes 3 s by the clock and each run 10 s: once a minute, and at the end."""
    sweep, clock, writes = make_sweep(tmp_path, ["BETA = 1"]), [100.0], []
    monkeypatch.setattr("tfrobust.sweeps.sweep.time.monotonic", lambda: clock[0])

    def write():
        writes.append(clock[0])
        clock[0] += 3.0

    monkeypatch.setattr(sweep, "write", write)

    def run_tasks(tasks, jobs, stop, on_end, tell):
        for _ in range(14):
            clock[0] += 10.0
            on_end(tasks[0], 0)

    monkeypatch.setattr("tfrobust.sweeps.sweep.run_tasks", run_tasks)
    sweep.run(1, NEVER, lambda line: None)
    assert writes == [110.0, 173.0, 236.0, 249.0]
