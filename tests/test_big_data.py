"""Training on pictures that stay in their files: the bits of training in memory, whenever it is stopped.

The slow test makes 25,000 JPEG files of 1,000 classes, which take 8.6 GiB decoded, and trains on them twice:
`python -m pytest -m slow -n 0 -s tests/test_big_data.py`.
"""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image

from tests.data.synthetic import make_pictures, train
from tfrobust import data
from tfrobust.errors import Interrupted, UserError
from tfrobust.runs import checkpoint

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEPS = 6


class Stop(keras.callbacks.Callback):
    """Asks the run to stop after some steps."""

    def __init__(self, at):
        super().__init__()
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


def load_arrays(workdir):
    return checkpoint.load_newest(pathlib.Path(workdir, "checkpoints", "latest"))[0].arrays


def assert_same_weights(workdir, other):
    ours, theirs = load_arrays(workdir), load_arrays(other)
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)


@pytest.fixture(scope="module")
def lossless(tmp_path_factory):
    """Forty PNG files of two classes."""
    folder = tmp_path_factory.mktemp("lossless")
    make_pictures(folder, 2, 40, 20, 30)
    for file in sorted(folder.rglob("*.jpg")):
        Image.open(file).save(file.with_suffix(".png"))
        file.unlink()
    return folder


@pytest.fixture
def run(lossless, tmp_path):
    def call(workdir, **settings):
        read = {"validation": 8, "test": 8, "train_crop": None, "test_crop": None}
        settings["read"] = read | settings.pop("read", {})
        defaults = {"classes": 2, "image_size": 16, "batch_size": 4}
        defaults["augment"] = (data.PadCrop(2), data.Flip())
        train(lossless, tmp_path / workdir, **defaults | settings)
        return tmp_path / workdir

    return call


@pytest.mark.slow
def test_a_run_from_files_that_was_stopped_has_the_weights_of_one_in_memory(run, capsys):
    whole = run("whole")
    with pytest.raises(Interrupted):
        run("stopped", read={"memory_limit_gib": 0}, callbacks=(lambda: Stop(STEPS + 2),))
    stopped = run("stopped", read={"memory_limit_gib": 0})
    assert "Resuming at epoch 2, step 2" in capsys.readouterr().out
    assert_same_weights(stopped, whole)


def test_other_pictures_and_broken_ones_are_named(run, lossless, tmp_path):
    files = {"memory_limit_gib": 0, "train_crop": data.RandomResizedCrop()}
    broken = sorted(lossless.rglob("*.png"))
    content = {file: file.read_bytes() for file in broken}
    with pytest.raises(Interrupted):
        run("run", read=files, callbacks=(lambda: Stop(2),))
    try:
        for file in broken:
            file.write_bytes(content[file][: len(content[file]) // 2])
        with pytest.raises(UserError, match=r"^/.*\.png cannot be read as an image"):
            run("other", read=files)
        assert not (tmp_path / "other").exists()
        with pytest.raises(UserError, match="on other data"):
            first = sorted(lossless.rglob("*.png"))[0]
            for file in broken:
                file.write_bytes(content[first])
            run("run", read=files)
    finally:
        for file in broken:
            file.write_bytes(content[file])


def start(folder, workdir):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    script = str(ROOT / "tests" / "data" / "synthetic.py")
    return subprocess.Popen(
        [sys.executable, script, "train", str(folder), str(workdir)], env=environment
    )


def kill_after(process, workdir, step):
    """Kills a run in the middle of an epoch, once it has saved the state of that step or a later one."""
    latest = workdir / "checkpoints" / "latest"
    while max(checkpoint.list_steps(latest), default=0) < step:
        assert process.poll() is None, "the run ended before it was killed"
        time.sleep(0.1)
    process.kill()
    process.wait()
    return max(checkpoint.list_steps(latest))


@pytest.mark.slow
def test_two_epochs_on_more_than_memory_killed_twice_have_the_same_bits(tmp_path):
    folder, whole, killed = (tmp_path / name for name in ("pictures", "whole", "killed"))
    decoded = make_pictures(folder, 1000, 25_000)
    assert decoded > 8 * 2**30
    began = time.monotonic()
    assert start(folder, whole).wait() == 0
    seconds = time.monotonic() - began
    at = [kill_after(start(folder, killed), killed, step) for step in (60, 250)]
    assert start(folder, killed).wait() == 0
    assert_same_weights(killed, whole)
    for name in ("metrics.jsonl",):
        assert (killed / name).read_text() == (whole / name).read_text()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(
        f"{decoded / 2**30:.2f} GiB decoded; {seconds:.0f} s; killed after steps {at}; peak {peak:.2f} GiB"
    )
    assert peak < 3
