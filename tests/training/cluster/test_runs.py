"""Runs on two workers: the weights of one process, and workers that are killed, stopped or different.

pytest -m slow tests/training/cluster/test_runs.py
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tfrobust.runs import checkpoint

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[3]
STEPS = 8
BINDINGS = (
    "EPOCHS = 3",
    "training.train.batch_size = 128",
    "training.train.augment = [@data.PadCrop()]",
    "data.PadCrop.padding = 1",
    "recipes.trades_mer.steps = 2",
    "validation/attacks.PGD.steps = 2",
    "test/attacks.PGD.steps = 2",
    "models.digits_cnn.batch_normalization = True",
    # Every step is saved, so that a kill can be aimed at the middle of an epoch.
    "training.train.save_seconds = 0",
)


def start_one(workdir, *flags, environment=(), recipe="trades_mer"):
    command = [sys.executable, str(ROOT / "bin" / "train.py"), f"--gin_file=gin/{recipe}.gin"]
    bindings = [b for b in BINDINGS if recipe in b or not b.startswith("recipes.")]
    return subprocess.Popen(
        [*command, f"--workdir={workdir}", *(f"--gin_bindings={b}" for b in bindings), *flags],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **dict(environment)},
        cwd=workdir.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(workdir, *flags, second=None, recipe="trades_mer"):
    """`second`: the flags of worker 1, where they are others."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("localhost", 0))
    hosts = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    processes = []
    for index in range(2):
        task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        own = flags if second is None or index == 0 else second
        environment = {"TF_CONFIG": json.dumps(task)}.items()
        more = ["--strategy=multi_worker", *own]
        processes.append(start_one(workdir, *more, environment=environment, recipe=recipe))
    return processes


def finish(processes):
    """(status, standard output, standard error) of each."""
    try:
        told = [process.communicate(timeout=400) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(p.returncode, *texts) for p, texts in zip(processes, told, strict=True)]


def wait_for_step(workdir, processes, step):
    latest = workdir / "checkpoints" / "latest"
    for _ in range(15000):
        if max(checkpoint.list_steps(latest), default=0) >= step:
            return
        if any(process.poll() is not None for process in processes):
            pytest.fail(str(finish(processes)))
        time.sleep(0.02)
    pytest.fail(f"no checkpoint of step {step} in five minutes")


def load(workdir, folder="latest"):
    return checkpoint.load_newest(workdir / "checkpoints" / folder)[0]


def assert_same(workdir, whole):
    for folder in ("latest", "best"):
        ours, theirs = load(workdir, folder), load(whole, folder)
        assert ours.step == theirs.step
        assert ours.arrays.keys() == theirs.arrays.keys()
        for name, array in theirs.arrays.items():
            np.testing.assert_array_equal(ours.arrays[name], array, err_msg=name)
    assert (workdir / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole") / "run"
    (chief, other) = finish(start_two(workdir, "--resume=never"))
    assert chief[0] == other[0] == 0, (chief, other)
    # The chief alone tells of the run.
    assert "| under the test attack |" in chief[1] and other[1] == ""
    return workdir


def test_two_workers_make_the_run_of_one_process(tmp_path):
    """One epoch without an attack: signs of gradients near zero, and later steps at a high rate, make much
    of the last digit."""
    folders = tmp_path / "one", tmp_path / "two"
    short = "--gin_bindings=EPOCHS = 1"
    processes = [
        start_one(folders[0], short, recipe="natural"),
        *start_two(folders[1], short, recipe="natural"),
    ]
    told = finish(processes)
    assert [status for status, _, _ in told] == [0, 0, 0], told
    theirs, ours = (load(folder) for folder in folders)
    for name, array in theirs.arrays.items():
        if name.startswith(("model/", "optimizer/")):
            np.testing.assert_allclose(ours.arrays[name], array, rtol=0, atol=2e-5, err_msg=name)
    one, two = (json.loads((folder / "report.json").read_text()) for folder in folders)
    # A rounding may tip one image over.
    for name in ("clean", "robust"):
        assert two[name]["total"] == one[name]["total"]
        assert abs(two[name]["right"] - one[name]["right"]) <= 1
    assert [(f / "metrics.csv").read_text().count("\n") for f in folders] == [2, 2]
    assert len(json.loads((folders[1] / "run.json").read_text())["starts"]) == 1


@pytest.mark.parametrize("index", [0, 1])
def test_a_killed_worker_stops_the_other_within_a_minute(whole, tmp_path, index):
    workdir = tmp_path / "run"
    processes = start_two(workdir)
    wait_for_step(workdir, processes, STEPS + 3)
    began = time.monotonic()
    processes[index].send_signal(signal.SIGKILL)
    told = finish(processes)
    status, _, err = told[1 - index]
    assert status == 75 and f"Worker {index} at localhost" in err and "is gone" in err, err
    assert time.monotonic() - began < 60
    if index == 1:
        assert json.loads((workdir / "run.json").read_text())["starts"][0]["status"] == (
            "interrupted"
        )
    told = finish(start_two(workdir, "--resume=must"))
    assert [status for status, _, _ in told] == [0, 0], told
    assert "Resuming at epoch" in told[0][1]
    assert_same(workdir, whole)


@pytest.mark.parametrize("index", [0, 1])
def test_sigterm_to_one_stops_all_after_the_same_step(whole, tmp_path, index):
    workdir = tmp_path / "run"
    processes = start_two(workdir)
    wait_for_step(workdir, processes, STEPS + 3)
    processes[index].send_signal(signal.SIGTERM)
    told = finish(processes)
    assert [status for status, _, _ in told] == [75, 75], told
    assert all("interrupted: Stopped on request" in err for _, _, err in told)
    told = finish(start_two(workdir))
    assert [status for status, _, _ in told] == [0, 0], told
    assert_same(workdir, whole)


def test_another_configuration_or_other_data_are_refused_by_all(tmp_path):
    workdir = tmp_path / "run"
    for second, words in (
        (["--gin_bindings=SEED = 5"], "another configuration than worker 0"),
        (["--gin_bindings=data.digits.validation_seed = 1"], "validation_seed"),
    ):
        told = finish(start_two(workdir, second=second))
        assert [status for status, _, _ in told] == [2, 2], told
        assert all("Worker 1 of 2 has" in err and words in err for _, _, err in told), told
    assert not workdir.exists()


def test_the_plan_names_workers(tmp_path):
    workdir = tmp_path / "run"
    told = finish(
        start_two(
            workdir, "--dry_run", "--gin_bindings=training.train.devices = ('CPU:0', 'CPU:1')"
        )
    )
    assert [status for status, _, _ in told] == [0, 0], told
    assert "devices           4 with 32 images of a batch each, on 2 workers" in told[0][1]
    assert told[1][1] == "" and not workdir.exists()
