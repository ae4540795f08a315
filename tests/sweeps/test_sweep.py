"""A sweep of commands that take no time: its runs, tables and dashboard, and what ends it."""

import signal
import sys
import time

import filelock
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata

from tests.sweeps.stand_in import NEVER, make_sweep, run
from tfrobust.commands.sweep import SIGNALS
from tfrobust.errors import Interrupted, UserError
from tfrobust.runs import kinds
from tfrobust.runs.signals import AskedToStop, StopRequest
from tfrobust.sweeps.folder import SweepFolder
from tfrobust.sweeps.grid import Point, parse_grid
from tfrobust.sweeps.hparams import write_hparams
from tfrobust.sweeps.results import Group, Result
from tfrobust.sweeps.work import Task, run_tasks


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
