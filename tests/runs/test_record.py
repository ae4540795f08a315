import datetime
import json
import shlex
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust.errors import UserError
from tfrobust.runs import record as run_record


def test_a_start_and_its_end(tmp_path):
    path = tmp_path / "run.json"
    record = run_record.RunRecord(path, seed=7, command="python bin/train.py --x='a b'")
    content = json.loads(path.read_text())
    assert content["seed"] == 7
    (start,) = content["starts"]
    assert start["command"] == "python bin/train.py --x='a b'"
    assert (start["status"], start["ended"], start["resumed_from"]) == ("running", None, None)
    versions = start["versions"]
    assert list(versions) == ["tfrobust", "tensorflow", "keras", "numpy", "python"]
    modules = (tfrobust, tf, keras, np)
    assert [m.__version__ for m in modules] == list(versions.values())[:4]
    assert start["devices"] == ["CPU:0", "CPU:1"]
    record.finish("done")
    (start,) = json.loads(path.read_text())["starts"]
    assert start["status"] == "done"
    begin, end = (datetime.datetime.fromisoformat(start[key]) for key in ("started", "ended"))
    assert datetime.timedelta(0) <= end - begin < datetime.timedelta(minutes=1)
    assert begin.utcoffset() == datetime.timedelta(0)


def test_a_resumed_run_keeps_its_former_starts(tmp_path):
    path = tmp_path / "run.json"
    run_record.RunRecord(path, seed=7, command="one")
    run_record.RunRecord(path, seed=7, resumed_from=120).finish("interrupted")
    first, second = json.loads(path.read_text())["starts"]
    assert (first["command"], first["status"]) == ("one", "running")
    assert (second["resumed_from"], second["status"]) == (120, "interrupted")
    assert second["command"] == shlex.join(sys.orig_argv)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"starts": 3}'])
def test_another_file_is_left_alone(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(
        UserError, match=r"run\.json is not the record of a run\. Move it elsewhere"
    ):
        run_record.RunRecord(path, seed=0)
    assert path.read_text() == text


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_commit_of_the_source(tmp_path):
    def git(*arguments):
        name = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
        done = subprocess.run(
            ["git", *name, *arguments], cwd=tmp_path, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert run_record.find_commit(package) is None
    git("init")
    git("commit", "--allow-empty", "-m", "something else")
    # In a repository that does not track it, as in an ignored environment.
    assert run_record.find_commit(package) is None
    git("add", "package")
    git("commit", "-m", "the package")
    assert run_record.find_commit(package) == git("rev-parse", "HEAD")
    (package / "__init__.py").write_text("changed")
    assert run_record.find_commit(package) == git("rev-parse", "HEAD") + " and changes"
