"""`bin/train.py` as a person meets it: what it refuses, in one line and before it writes anything."""

import importlib
import io
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from absl import logging

from tfrobust import Linf
from tfrobust.commands.evaluate import COMMAND as evaluate
from tfrobust.commands.train import COMMAND
from tfrobust.evaluation import read_run_settings
from tfrobust.ops.onednn import is_left_off
from tfrobust.runs import checkpoint

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = """
from __gin__ import dynamic_registration
from tfrobust import data
from tfrobust import training
include 'gin/adv.gin'
training.train.data = @data.npz
data.npz.path = '{path}'
data.npz.validation = 8
"""
SHORT = (
    "EPOCHS = 1",
    "recipes.adv.steps = 1",
    "validation/attacks.PGD.steps = 1",
    "test/attacks.PGD.steps = 2",
)


@pytest.fixture
def run(tmp_path, capsys):
    verbosity = logging.get_verbosity()

    def call(*arguments, gin="gin/adv.gin", bindings=SHORT, workdir=tmp_path / "run"):
        arguments = [
            f"--gin_file={gin}",
            f"--workdir={workdir}",
            *(f"--gin_bindings={binding}" for binding in bindings),
            *arguments,
        ]
        status = COMMAND.main(["train.py", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    yield call
    logging.set_verbosity(verbosity)


def refused(result, workdir, *messages):
    status, _, told = result
    assert status == 2
    assert told.startswith("error: ") and told.count("\n") == 1
    for message in messages:
        assert message in told
    assert not workdir.exists()


@pytest.mark.parametrize(
    ("binding", "messages"),
    [
        ("attacks.PGD.stepz = 3", ("stepz",)),
        ("EPSILN = 0.1", ("EPSILN", "misspelt")),
        ("valid/attacks.PGD.steps = 3", ("valid/attacks.PGD.steps",)),
        ("EPSILON = 8", ("'8/255'",)),
        ("EPSILON = 'eight'", ("epsilon='eight'",)),
        ("models.digits_cnn.num_classes = 11", ("num_classes=11", "have 10")),
        ("models.digits_cnn.input_shape = (28, 28, 1)", ("8, 8, 1)", "28, 28, 1)")),
        ("training.train.batch_size = 5000", ("5000",)),
        ("training.train.checkpoint_rule = 'best'", ("best_robust",)),
        ("training.train.devices = ('CPU:0', 'CPU:1')", ("mirrored",)),
        ("training.train.seed = -1", ("seed",)),
    ],
)
def test_bad_settings_are_one_line_and_nothing_is_written(run, tmp_path, binding, messages):
    refused(run(bindings=(*SHORT, binding)), tmp_path / "run", *messages)


def test_a_softmax_at_the_end_is_found_before_training(run, tmp_path, monkeypatch):
    (tmp_path / "softmax_model.py").write_text(
        "import keras\n"
        "def net():\n"
        "    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(),\n"
        "                             keras.layers.Dense(10, activation='softmax')])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    gin = tmp_path / "softmax.gin"
    gin.write_text(
        "from __gin__ import dynamic_registration\nimport softmax_model\n"
        "from tfrobust import training\ninclude 'gin/adv.gin'\n"
        "training.train.model = @softmax_model.net\n"
    )
    refused(run("--trust", gin=gin), tmp_path / "run", "probabilities", "softmax")


def images(kind):
    generator = np.random.default_rng(0)
    x, y = generator.random((40, 8, 8, 1)).astype("float32"), np.arange(40) % 10
    if kind == "range":
        x *= 255
    if kind == "nan":
        x[3, 0, 0, 0] = np.nan
    if kind == "labels":
        y[5] = -1
    return {"x_train": x, "y_train": y, "x_test": x[:10], "y_test": y[:10]}


@pytest.mark.parametrize(
    ("kind", "message"), [("range", "255"), ("nan", "finite"), ("labels", "label")]
)
def test_bad_data_are_one_line_and_nothing_is_written(run, tmp_path, kind, message):
    np.savez(tmp_path / "data.npz", **images(kind))
    gin = tmp_path / "data.gin"
    gin.write_text(DATA.format(path=tmp_path / "data.npz"))
    refused(run(gin=gin), tmp_path / "run", message)


def test_a_data_set_that_is_not_there_says_what_to_do(run, tmp_path):
    gin = tmp_path / "mnist.gin"
    gin.write_text(
        "from __gin__ import dynamic_registration\nfrom tfrobust import data\n"
        "from tfrobust import training\ninclude 'gin/adv.gin'\n"
        "training.train.data = @data.tfds_images\ndata.tfds_images.name = 'mnist'\n"
    )
    result = run(f"--data_dir={tmp_path / 'nowhere'}", gin=gin)
    refused(result, tmp_path / "run", "nowhere", "TFDS_DATA_DIR")


def test_a_dry_run_prints_the_plan_and_writes_nothing(run, tmp_path):
    status, out, _ = run("--dry_run")
    assert status == 0
    for line in (
        "\nattack            PGD",
        "\ntest attack       PGD",
        "parameters",
        "images            in memory",
        "training step",
        "logging, saving",
        "estimated time",
        "peak memory",
    ):
        assert line in out
    assert ("TensorFlow leaves oneDNN off here" in out) == is_left_off()
    shares = re.findall(r"[\d.]+(?=%)", out[out.index("an epoch          ") :])
    assert len(shares) == 3 and abs(sum(map(float, shares)) - 100) < 0.2
    assert not (tmp_path / "run").exists()


def test_a_run_leaves_everything_and_is_not_repeated(run, tmp_path):
    workdir = tmp_path / "run"
    # Fewer validation images than TensorBoard's grid has columns.
    short = (*SHORT, "data.digits.validation = 7")
    status, out, err = run(bindings=short, workdir=workdir)
    assert (status, err) == (0, "")
    assert "epoch 1/1" in out and "ETA" in out
    for name in (
        "config.gin config_used.gin run.json metrics.csv metrics.jsonl report.md report.json "
        "export/classifier.keras export/1/saved_model.pb"
    ).split():
        assert (workdir / name).is_file(), name
    assert list(workdir.glob("tensorboard/*/*tfevents*"))
    row = json.loads((workdir / "metrics.jsonl").read_text())
    assert {"loss", "label_loss", "val_accuracy", "val_robust_accuracy"} <= set(row)
    report = (workdir / "report.md").read_text()
    assert "95 % interval" in report and "/ 360" in report and "epoch 1 of 1" in report
    counted = json.loads((workdir / "report.json").read_text())
    clean, robust = (f"{counted[n]['right']} (" for n in ("clean", "robust"))
    assert f"recognises {clean}" in report and f"and {robust}" in report
    assert "by up to 0.15 of the range from black to white" in report.partition("|")[0]
    assert report.startswith(f"# {counted['described']['method']} on digits\n\nThis classifier")
    # What a terminal shows says where all of it is.
    assert report in out and f"See {workdir}: report.md" in out
    assert json.loads((workdir / "run.json").read_text())["starts"][0]["status"] == "done"
    splits, threat_model = read_run_settings(workdir)
    assert splits.info.name == "digits" and threat_model == Linf(0.15)

    status, out, _ = run(bindings=short, workdir=workdir)
    assert status == 0 and "complete" in out

    before = {p: p.stat().st_mtime_ns for p in workdir.rglob("*") if p.is_file()}
    status, _, err = run(bindings=(*short, "EPSILON = 0.1"), workdir=workdir)
    assert status == 2 and "EPSILON = 0.15" in err and "EPSILON = 0.1" in err
    status, _, err = run("--resume=never", workdir=workdir)
    assert status == 2 and "holds a run already" in err
    status, _, err = run("--resume=must", workdir=tmp_path / "other")
    assert status == 2 and "to resume" in err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    status, _, err = run(workdir=tmp_path / "mine")
    assert status == 2 and "not empty" in err
    assert before == {p: p.stat().st_mtime_ns for p in workdir.rglob("*") if p.is_file()}

    # Without its export it is not complete: it goes on at its end.
    shutil.rmtree(workdir / "export")
    refused_by(evaluate, ["--model", str(workdir)], "its export/ is gone")
    status, out, _ = run(bindings=short, workdir=workdir)
    assert (
        status == 0 and "is complete" not in out and "its export or report.json is missing" in out
    )
    assert (workdir / "export" / "export.json").is_file()
    for name, damage, message in (
        ("metrics.jsonl", b"\xff\xfe{", "metrics.jsonl"),
        ("metrics.jsonl", b"[1, 2]\n", "line 1"),
        ("config.gin", bytes(range(256)), "another configuration"),
    ):
        whole = (workdir / name).read_bytes()
        (workdir / "export" / "export.json").unlink(missing_ok=True)
        (workdir / name).write_bytes(damage)
        status, _, err = run(bindings=short, workdir=workdir)
        assert status == 2 and err.count("\n") == 1 and message in err
        (workdir / name).write_bytes(whole)
    shutil.rmtree(workdir / "checkpoints" / "best")
    status, _, err = run(bindings=short, workdir=workdir)
    assert status == 2 and "best epoch so far, number 1" in err and "are gone" in err


def refused_by(command, arguments, message):
    with pytest.MonkeyPatch.context() as patched:
        told = io.StringIO()
        patched.setattr("sys.stderr", told)
        assert command.main([command.name, *arguments]) == 2
    assert message in told.getvalue() and told.getvalue().count("\n") == 1


def test_divergence_stops_with_status_3_and_keeps_no_broken_checkpoint(run, tmp_path):
    status, _, err = run(bindings=(*SHORT, "PEAK_LEARNING_RATE = 1e30"))
    assert status == 3 and err.startswith("diverged: ") and "learning rate" in err
    assert not list((tmp_path / "run").glob("checkpoints/latest/step-*"))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["starts"][0]["status"] == (
        "not finite"
    )


STOPPER = """
import os, signal
import keras

class Stop(keras.callbacks.Callback):
    def __init__(self, where, at):
        super().__init__()
        self.where, self.at, self.seen = where, at, 0

    def _count(self, where):
        self.seen += where == self.where
        if where == self.where and self.seen == self.at:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_train_batch_end(self, batch, logs=None):
        self._count("training")

    def on_test_batch_end(self, batch, logs=None):
        self._count("validation")

PLAN = []

def make():
    return Stop(*PLAN.pop(0)) if PLAN else keras.callbacks.Callback()
"""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["none", "mirrored"])
def test_sigterm_anywhere_then_the_same_command_ends_with_the_same_bits(
    run, tmp_path, monkeypatch, strategy
):
    name = f"stopper_{strategy}"
    (tmp_path / f"{name}.py").write_text(STOPPER)
    monkeypatch.syspath_prepend(tmp_path)
    gin = tmp_path / "stopped.gin"
    gin.write_text(
        f"from __gin__ import dynamic_registration\nimport {name}\nfrom tfrobust import training\n"
        f"include 'gin/adv.gin'\ntraining.train.callbacks = [@{name}.make]\n"
        "training.train.evaluation_batch_size = 60\n"
    )
    settings = (*SHORT, "EPOCHS = 2", "training.train.batch_size = 255")
    if strategy == "mirrored":
        settings = (*settings, "training.train.devices = ('CPU:0', 'CPU:1')")

    def once(workdir, plan=()):
        importlib.import_module(name).PLAN[:] = plan
        flags = (f"--strategy={strategy}", "--trust")
        profiled = ("training.train.profile_steps = (2, 6)",) if workdir == "stopped" else ()
        return run(*flags, gin=gin, bindings=(*settings, *profiled), workdir=tmp_path / workdir)

    status, _, err = once("whole")
    assert (status, err) == (0, "")
    # In the middle of the first epoch, in its validation, in the second one's last step, then at its end.
    for plan, position in (
        (("training", 2), (0, 2)),
        (("validation", 3), (0, 3)),
        (("training", 2), (1, 1)),
    ):
        status, _, err = once("stopped", [plan])
        assert status == 75 and "interrupted: " in err
        state = checkpoint.load_newest(tmp_path / "stopped/checkpoints/latest")[0].state
        assert (state["epoch"], state["step"]) == position
    status, out, err = once("stopped")
    assert (status, err) == (0, "") and "Resuming at epoch 2, step 1" in out
    for folder in ("latest", "best"):
        ours, theirs = (
            checkpoint.load_newest(tmp_path / w / "checkpoints" / folder)[0].arrays
            for w in ("stopped", "whole")
        )
        for array in theirs:
            np.testing.assert_array_equal(ours[array], theirs[array], err_msg=array)
    ours, theirs = ((tmp_path / w / "metrics.jsonl").read_text() for w in ("stopped", "whole"))
    assert ours == theirs
    # What was left of the steps when it went on for the last time.
    assert len(list((tmp_path / "stopped/tensorboard").glob("train/plugins/profile/*/*.pb"))) == 1


@pytest.mark.slow
def test_data_that_changed_and_rows_that_were_lost_are_told(run, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 8, 8, 1), np.float32), np.arange(40) % 10
    path, gin, workdir = tmp_path / "some.npz", tmp_path / "some.gin", tmp_path / "run"
    gin.write_text(DATA.format(path=path))

    def write(images):
        np.savez(path, x_train=images, y_train=y, x_test=x, y_test=y)

    write(x)
    bindings = (*SHORT, "training.train.batch_size = 16", "data.npz.validation = 10")
    status, _, err = run(gin=gin, bindings=bindings)
    assert (status, err) == (0, "")
    (workdir / "report.md").unlink()
    before = (workdir / "run.json").read_text()
    write(1 - x)
    status, _, err = run(gin=gin, bindings=bindings)
    assert status == 2 and "on other data" in err and "train and validation" in err
    assert (workdir / "run.json").read_text() == before
    write(x)
    (workdir / "metrics.jsonl").write_text("")
    status, out, err = run(gin=gin, bindings=bindings)
    assert (status, err) == (0, "") and "lack the rows of epochs 1;" in out
