"""A run that was stopped or killed ends with the same bits as one that was not.

In processes of their own: pytest -m slow tests/test_interruption.py
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tfrobust.runs import checkpoint

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEPS = 8
pytestmark = pytest.mark.slow
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


def start(workdir, *flags):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    arguments = [f"--gin_bindings={binding}" for binding in BINDINGS]
    return subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "bin" / "train.py"),
            "--gin_file=gin/trades_mer.gin",
            f"--workdir={workdir}",
            *arguments,
            *flags,
        ],
        env=environment,
        cwd=workdir.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for_step(workdir, process, step):
    latest = workdir / "checkpoints" / "latest"
    for _ in range(6000):
        if max(checkpoint.list_steps(latest), default=0) >= step:
            return
        assert process.poll() is None, finish(process)
        time.sleep(0.02)
    pytest.fail(f"no checkpoint of step {step} in two minutes")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole") / "run"
    status, out, err = finish(start(workdir, "--resume=never"))
    # Nothing of what TensorFlow logs either.
    assert status == 0 and err == "", err
    return workdir


def assert_same(workdir, whole):
    for folder in ("latest", "best"):
        ours, theirs = (
            checkpoint.load_newest(w / "checkpoints" / folder)[0] for w in (workdir, whole)
        )
        assert ours.step == theirs.step
        assert ours.arrays.keys() == theirs.arrays.keys()
        for name, array in theirs.arrays.items():
            np.testing.assert_array_equal(ours.arrays[name], array, err_msg=name)
    # The numbers of every epoch, also of one that was begun before and ended after.
    assert (workdir / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text()


def test_killed_in_the_middle_of_an_epoch_then_at_one_s_end(uninterrupted, tmp_path):
    workdir = tmp_path / "run"
    process = start(workdir)
    wait_for_step(workdir, process, STEPS + 3)
    process.send_signal(signal.SIGKILL)
    finish(process)
    process = start(workdir, "--resume=must")
    wait_for_step(workdir, process, 2 * STEPS)
    process.send_signal(signal.SIGKILL)
    finish(process)
    status, out, err = finish(start(workdir))
    assert status == 0, err
    assert "Resuming at epoch" in out
    assert_same(workdir, uninterrupted)
    starts = json.loads((workdir / "run.json").read_text())["starts"]
    assert [s["status"] for s in starts] == ["running", "running", "done"]


def test_sigterm_saves_and_a_corrupt_newest_checkpoint_is_skipped(uninterrupted, tmp_path):
    workdir = tmp_path / "run"
    process = start(workdir)
    wait_for_step(workdir, process, 3)
    process.send_signal(signal.SIGTERM)
    status, _, err = finish(process)
    assert status == 75 and "interrupted: " in err, err
    latest = workdir / "checkpoints" / "latest"
    newest = checkpoint.list_steps(latest)[-1]
    arrays = latest / f"step-{newest:09d}" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-100])
    status, out, err = finish(start(workdir))
    assert status == 0, err
    assert "Skipped a damaged checkpoint" in out and f"step-{newest:09d}" in out
    assert_same(workdir, uninterrupted)
