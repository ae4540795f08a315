"""A run's start is whole or absent, and what is compared is compared under the lock."""

import contextlib
import json

import pytest

from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.runs.workspace import Workspace

GIVEN = "EPOCHS = 3\n"
DATA = {
    "name": "digits",
    "fingerprint": {"train": "a", "validation": "b", "test": "c"},
    "source": None,
}
THREAT_MODEL = {"norm": "Linf", "epsilon": "8/255"}


class Killed(BaseException):
    pass


@contextlib.contextmanager
def claimed(path, given=GIVEN, resume="auto", data=DATA):
    with Workspace(path, given, resume).claim("used", 7, data, THREAT_MODEL):
        yield


def contents(path):
    return {p.name: p.read_text() for p in path.iterdir() if p.name[0] != "."}


@pytest.fixture
def begun(tmp_path):
    with claimed(tmp_path / "run"):
        pass
    return tmp_path / "run"


def test_a_start_has_everything(begun):
    assert set(contents(begun)) == {"run.json", "config.gin", "config_used.gin"}
    assert json.loads((begun / "run.json").read_text()) == {
        "seed": 7,
        "configuration": GIVEN,
        "data": DATA,
        "threat_model": THREAT_MODEL,
        "starts": [],
    }


@pytest.mark.parametrize("made", [False, True], ids=["new", "empty"])
@pytest.mark.parametrize("before", [True, False], ids=["before its name", "after"])
@pytest.mark.parametrize("number", range(3))
def test_a_start_that_is_killed_anywhere_is_gone_on_with(
    begun, tmp_path, monkeypatch, number, before, made
):
    path = tmp_path / "other"
    if made:
        path.mkdir()
    replace, calls = files.os.replace, []

    def killed(source, target):
        calls.append(target)
        dies = len(calls) == number + 1
        if not (dies and before):
            replace(source, target)
        if dies:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", killed)
        with pytest.raises(Killed), claimed(path):
            pytest.fail("it began")
    assert len(calls) == number + 1
    there = (path / "run.json").is_file()
    assert there == (number > 0 or not before)
    assert Workspace(path, GIVEN, "auto").has_run == there
    # Another configuration is refused as soon as there is a start, not before.
    with (
        pytest.raises(UserError, match="another configuration")
        if there
        else contextlib.nullcontext()
    ):
        Workspace(path, "EPOCHS = 4\n", "auto")
    with claimed(path):
        pass
    assert contents(path) == contents(begun)


@pytest.mark.parametrize("names", [["config_used.gin"], ["config_used.gin", "config.gin"]])
def test_what_a_killed_start_of_earlier_versions_left_counts_as_empty(tmp_path, begun, names):
    path = tmp_path / "other"
    path.mkdir()
    for name in names:
        (path / name).write_text("used")
    with claimed(path):
        pass
    assert contents(path) == contents(begun)


def test_a_run_of_another_process_is_seen_under_the_lock(tmp_path):
    path = tmp_path / "run"
    late = Workspace(path, "EPOCHS = 4\n", "auto")  # looked before there was anything
    never = Workspace(path, GIVEN, "never")
    with claimed(path):
        with pytest.raises(UserError, match="Another process"), late.claim("u", 7, DATA, None):
            pass
    before = contents(path)
    for workspace, told in (
        (late, "another configuration.*EPOCHS = 3; . EPOCHS = 4"),
        (never, "already"),
    ):
        with pytest.raises(UserError, match=told), workspace.claim("u", 7, DATA, None):
            pass
    assert contents(path) == before


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_other_data_are_refused(begun, split):
    changed = {**DATA, "fingerprint": {**DATA["fingerprint"], split: "x"}}
    before = contents(begun)
    with (
        pytest.raises(UserError, match=f"on other data.*{split} split"),
        claimed(begun, data=changed),
    ):
        pass
    assert contents(begun) == before
    with claimed(begun):
        pass


def test_a_run_of_an_earlier_version_goes_on_and_is_told_its_data(tmp_path, begun):
    path = tmp_path / "former"
    path.mkdir()
    (path / "run.json").write_text(json.dumps({"seed": 7, "starts": [{"status": "running"}]}))
    (path / "config.gin").write_text(GIVEN)
    with claimed(path, resume="must"):
        pass
    content = kinds.RUN.read(path)
    assert content["starts"] == [{"status": "running"}] and content["data"] == DATA
    # Without its configuration beside it, what run.json says holds.
    (begun / "config.gin").unlink()
    with pytest.raises(UserError, match="another configuration"):
        Workspace(begun, "EPOCHS = 4\n", "auto")
    with claimed(begun):
        pass
    assert (begun / "config.gin").read_text() == GIVEN
