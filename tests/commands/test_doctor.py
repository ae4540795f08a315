"""`tfrobust doctor`: versions against bounds, trials that fail, and a TensorFlow that is not there.

pytest -n 0 -m slow tests/commands/test_doctor.py     runs the trials themselves, in half a minute
"""

import importlib.metadata
import json
import os
import sys

import pytest
from packaging.requirements import Requirement

from tfrobust.commands import doctor
from tfrobust.commands.checkup import machine, requirements, trials
from tfrobust.commands.checkup.finding import FAULT, NOTE, OK
from tfrobust.commands.start.command_line import ROOT

NUMPY = importlib.metadata.version("numpy")


@pytest.mark.parametrize(
    ("requirement", "level", "told"),
    [
        ("numpy", OK, f"numpy {NUMPY}"),
        (f"numpy>={NUMPY}", OK, NUMPY),
        ("numpy>=99", FAULT, "too old"),
        ("numpy<1.5,>=1", NOTE, "newer than what was tested"),
        ("numpy_that_is_not_there>=3", FAULT, "is missing (>=3)."),
    ],
)
def test_versions_are_held_against_their_bounds(requirement, level, told):
    (found,) = requirements.check_requirements([Requirement(requirement)])
    assert found.level == level and told in found.told
    # What is wrong comes with the command that mends it.
    assert (f"pip install '{requirement}'" in found.remedy) == (level != OK)


def test_what_is_declared_is_read():
    declared = requirements.read_requirements()
    needed = {one.name: one.specifier for one in declared[""]}
    for name in ("tensorflow", "keras", "gin-config"):
        assert {s.operator for s in needed[name]} == {">=", "<"}, name
    assert [str(one) for one in declared[""] if not one.specifier] == []
    assert "cuda" in declared and "test" in declared


def test_what_an_extra_lacks_is_named_with_its_command():
    extras = {"": [], "more": [Requirement("numpy"), Requirement("not_there")], "x": []}
    lacking, complete = requirements.check_extras(extras)
    assert lacking.level == NOTE and "not_there" in lacking.told and "numpy" not in lacking.told
    assert lacking.remedy.endswith("pip install not_there") and complete.level == OK
    # Extras of extras: and-cuda of TensorFlow.
    (cuda,) = requirements.check_extras({"cuda": [Requirement("tensorflow[and-cuda]")]})
    assert cuda.level == OK or "nvidia" in cuda.told


def test_the_folder_and_the_data_sets(tmp_path, monkeypatch):
    assert machine.check_folder(tmp_path / "new" / "runs").level in (OK, NOTE)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert machine.check_folder(tmp_path / "file" / "runs").level == FAULT
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nowhere"))
    assert [found.level for found in machine.check_data(None)] == [OK, NOTE]
    for name in ("mnist/3.0.1", "d/config/1.0.0"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "dataset_info.json").write_text("{}")
    assert machine.check_data(str(tmp_path))[1].told.endswith("d/config, mnist")


def probe(*lines, end=""):
    code = "".join(f"print({json.dumps(line)!r}, flush=True)\n" for line in lines) + end
    return trials.run_trials((sys.executable, "-c", code))


IMPORT = {"trial": "import", "tensorflow": "2", "keras": "3", "seconds": 1.0}
IMPORT |= {"backend": "tensorflow", "devices": []}
PLAIN = {"trial": "step", "name": "plain", "first": 1.0, "later": 0.01}
XLA = {"trial": "step", "name": "XLA", "first": 2.0, "later": 0.03}
MAIN = {"trial": "main job", "loss": 1.5, "seconds": 3.0}


def test_trials_are_told():
    found = probe(IMPORT, PLAIN, XLA, MAIN)
    assert {one.level for one in found} <= {OK, NOTE}
    assert any("3.0 times as long: leave it off" in one.told for one in found)
    found = probe(IMPORT, PLAIN, {**XLA, "later": 0.005}, MAIN)
    assert any("training.train.jit_compile = True" in one.told for one in found)
    found = probe(IMPORT, PLAIN, {"trial": "step", "name": "XLA", "error": "E: no"}, MAIN)
    assert [one.told for one in found if one.level == NOTE and "XLA" in one.told] != []
    assert probe(IMPORT, PLAIN, {**MAIN, "loss": float("nan")})[-1].level == FAULT
    assert any(one.level == FAULT for one in probe({**IMPORT, "backend": "jax"}, MAIN))


ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
# A probe whose ResNet takes a half where oneDNN is asked for, and that asks TensorFlow's question.
TWICE_AS_FAST = f"""
import json, os, sys
asked = os.environ.get("{ONEDNN}")
resnet = dict(trial="resnet", later=0.005 if asked == "1" else 0.01)
lines = [{IMPORT} | dict(onednn_left_off=asked is None), {PLAIN}, {MAIN}]
print(*map(json.dumps, [resnet] if sys.argv[1:] == ["resnet"] else lines), sep="\\n")
"""


def test_onednn_is_tried_where_tensorflow_leaves_it_off(monkeypatch):
    def told(code):
        return [f for f in trials.run_trials((sys.executable, "-c", code)) if "oneDNN" in f.told]

    monkeypatch.delenv(ONEDNN, raising=False)
    (note,) = told(TWICE_AS_FAST)
    assert note.level == NOTE and "takes 0.50 times as long" in note.told
    assert f"{ONEDNN}=1" in note.remedy
    (fine,) = told(TWICE_AS_FAST.replace("0.005", "0.0099"))
    assert fine.level == OK and "takes 0.99 times as long" in fine.told and not fine.remedy
    (broken,) = told(TWICE_AS_FAST.replace("[resnet] if", "[1 / 0] if"))
    assert broken.level == NOTE and "was not made" in broken.told
    # Who has chosen needs no advice.
    for chosen in "01":
        monkeypatch.setenv(ONEDNN, chosen)
        assert told(TWICE_AS_FAST) == []


@pytest.mark.slow
def test_a_resnet_is_timed(monkeypatch):
    command = [sys.executable, trials.__file__.replace("trials", "probe"), str(ROOT), "resnet"]
    ((found,), _, status) = trials._try(command)
    assert status == 0 and found["trial"] == "resnet" and found["later"] > 0


@pytest.mark.parametrize(
    ("lines", "end", "told"),
    [
        (
            [],
            "raise ImportError('no symbol')",
            "import of TensorFlow failed: ImportError: no symbol",
        ),
        ([], "import os, signal; os.kill(os.getpid(), signal.SIGILL)", "was ended by SIGILL"),
        ([IMPORT], "raise MemoryError", "A training step failed: MemoryError"),
        ([IMPORT, PLAIN, XLA], "1 / 0", "Robust training failed: ZeroDivisionError"),
    ],
)
def test_trials_that_end_early_are_a_fault(lines, end, told):
    last = probe(*lines, end=end)[-1]
    assert last.level == FAULT and told in last.told and last.remedy


def test_without_tensorflow_it_says_so_and_exits_1(tmp_path, monkeypatch, capsys):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('it is broken')\n")
    monkeypatch.chdir(tmp_path)
    # The trials as they are, with a TensorFlow before the real one.
    command = (sys.executable, trials.__file__.replace("trials", "probe"), str(tmp_path))
    monkeypatch.setattr(doctor, "run_trials", lambda: trials.run_trials(command))
    assert doctor.COMMAND.main(["tfrobust doctor"]) == 1
    out = capsys.readouterr().out
    end = out.partition("A robust classifier cannot be trained here:")[2]
    assert (
        "The import of TensorFlow failed" in end and "it is broken" in end and "pip install" in end
    )
    assert sorted(os.listdir(tmp_path)) in (["tensorflow.py"], ["__pycache__", "tensorflow.py"])


def test_without_trials_it_says_that(capsys):
    assert doctor.COMMAND.main(["tfrobust doctor", "--notrials"]) == 0
    out = capsys.readouterr().out
    assert "what TensorFlow does was not tried" in out and "ok    tensorflow " in out
    assert max(map(len, out.splitlines())) <= 110


@pytest.mark.slow
def test_the_main_job_is_tried(capsys):
    assert doctor.COMMAND.main(["tfrobust doctor"]) == 0
    out = capsys.readouterr().out
    assert "robust training of digits" in out and "XLA works" in out
    assert "A robust classifier can be trained here." in out
    assert (ROOT / "gin" / "trades_mer.gin").is_file()
