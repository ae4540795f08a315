"""`bin/evaluate.py` as a person meets it: a run's data and radius, suites of one's own, one-line errors."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import pytest

from tfrobust.config.configuration import Configuration
from tfrobust.errors import UserError
from tfrobust.evaluation import read_run_settings
from tfrobust.models import digits_cnn
from tfrobust.serving import export_classifier
from tfrobust.threat_models import Linf

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """The folder of a run on the digits that has exported an untrained classifier."""
    folder = tmp_path_factory.mktemp("runs") / "adv"
    keras.utils.set_random_seed(0)
    export_classifier(digits_cnn(), folder / "export")
    configuration = Configuration(["gin/adv.gin"], ["EPSILON = 0.05"], ROOT)
    (folder / "config.gin").write_text(configuration.given, encoding="utf-8")
    return folder


def started(*arguments):
    command = [sys.executable, str(ROOT / "bin" / "evaluate.py"), *arguments]
    pipe = subprocess.PIPE
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=environment)


def called(*arguments):
    process = started(*arguments)
    out, error = process.communicate(timeout=300)
    # TensorFlow logs nothing beside our line.
    return process.returncode, out, error.splitlines()


def test_a_run_knows_its_data_and_its_radius(run_folder):
    data, threat_model = read_run_settings(run_folder)
    assert data.info.name == "digits" and threat_model == Linf(0.05)
    with pytest.raises(UserError, match="no gin file"):
        read_run_settings(run_folder / "export")


def test_from_a_run_to_its_reports(run_folder):
    """A list of attacks in gin, with the checks of the contract."""
    status, out, told = called(
        f"--model={run_folder}",
        "--gin_file=gin/evaluation/several_losses.gin",
        "--gin_bindings=EPSILON = 0.05",
        "--gin_bindings=STEPS = 3",
        "--gin_bindings=RESTARTS = 1",
        "--examples=60",
        "--checks=contract",
        "--nan_counts=robust",
        "--thresholds=C28.few=60,C28.some=61",
        "--strict",
    )
    assert told == []
    assert "accuracy under cross-entropy and margin and ratio" in out
    folder = run_folder / "evaluation" / "custom"
    report = json.loads((folder / "report.json").read_text())
    assert len(report["tfrobust"]["attacks"]) == 3
    assert report["tfrobust"]["nan_counts"] == "robust"
    assert report["tfrobust"]["thresholds"] == {"C28": {"few": 60, "some": 61}}
    assert {f["id"]: f["level"] for f in report["tfrobust"]["findings"]}["C28"] == "info"
    levels = {finding["level"] for finding in report["tfrobust"]["findings"]}
    assert status == (4 if levels & {"severe", "error"} else 0)
    # An untrained classifier is no better than guessing.
    assert "warning" in levels
    assert (folder / "report.html").is_file()


def test_what_cannot_work_is_one_line(run_folder):
    status, out, told = called("--model=runs/no_such_run")
    assert status == 2 and out == ""
    assert told == [
        "error: There is no runs/no_such_run. Give the folder of a run, a .keras file or the folder of a "
        "SavedModel."
    ]


@pytest.mark.slow
def test_an_evaluation_that_is_stopped_or_killed_ends_with_the_same_flags(run_folder, tmp_path):
    arguments = [f"--model={run_folder}", "--checks=none", "--examples=120"]
    status, whole, _ = called(*arguments, f"--workdir={tmp_path / 'whole'}")
    assert status == 0
    for number in (signal.SIGTERM, signal.SIGKILL):
        workdir = tmp_path / number.name
        process = started(*arguments, f"--workdir={workdir}")
        # Until something has been saved.
        while process.poll() is None and not any(workdir.glob("state/step-*")):
            time.sleep(0.2)
        process.send_signal(number)
        process.communicate(timeout=300)
        assert process.returncode in (75, -signal.SIGKILL, 0)
        status, again, _ = called(*arguments, f"--workdir={workdir}", "--resume=must")
        assert status == 0
        assert again.splitlines()[-2] == whole.splitlines()[-2]
        assert read_rows(tmp_path / "whole") == read_rows(workdir)


def read_rows(folder):
    """The examples, without passes: how many runs of a broken one had begun depends on the slots."""
    with open(folder / "examples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {k: v for k, v in r.items() if k not in ("forwards", "backwards", "queries")} for r in rows
    ]


def test_suites_are_listed():
    status, out, _ = called("--suite=help")
    assert status == 0 and "autoattack_standard" in out and "llr_multit" in out
