"""What is wrong with a command is said before TensorFlow is imported: one process walks them all."""

import inspect
import json
import os
import pathlib
import subprocess
import sys

import pytest

import tfrobust
from tests.commands import test_bad_requests as bad_requests
from tfrobust import evaluation
from tfrobust.benchmarks.steps import METHODS
from tfrobust.commands.start import first_look
from tfrobust.config import source
from tfrobust.config.preview import ROOMS, Preview

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = sorted({p.stem for p in (ROOT / "bin").glob("*.py")} - {"tfrobust_command"})
PATHS = os.pathsep.join([str(ROOT), str(ROOT / "bin")])

# Calls each command as its script does; `prepare`, which would import TensorFlow, gives up.
WALK = """
import contextlib, importlib, io, json, sys
import tfrobust_command

class Late(Exception):
    pass

def prepare(verbosity):
    raise Late

tfrobust_command._open_package()
for line in sys.stdin:
    name, *arguments = json.loads(line)
    command = importlib.import_module(f"tfrobust.commands.{name}").COMMAND
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
        try:
            status = command.main([name, *arguments], prepare)
        except Late:
            status = "late"
    print(json.dumps([status, told.getvalue(), "tensorflow" in sys.modules]))
"""


def walk(rows, folder):
    """What each command line, (name, *arguments), ends with: (status, text, whether TensorFlow is there)."""
    ran = subprocess.run(
        [sys.executable, "-c", WALK],
        input="".join(json.dumps(row) + "\n" for row in rows),
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": PATHS, "PATH": "/usr/bin:/bin"},
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    return [tuple(json.loads(line)) for line in ran.stdout.splitlines()]


# What only the reports of finished runs tell.
LATE = ["report.json is missing or damaged", "autoattack.json is missing or damaged"]
GIN = ["--gin_file=gin/adv.gin", "--workdir=run"]
MORE = [
    ("train", ["--gin_file=gin/adw.gin"], "Did you mean 'gin/adv.gin'?"),
    ("train", ["--gin_file=trades_mer.gin"], "Did you mean 'gin/trades_mer.gin'?"),
    ("train", [*GIN, "--data_dir=nowhere"], "no folder nowhere"),
    ("train", [*GIN, "--gin_bindings=EPOCS = 1"], "Did you mean 'EPOCHS'?"),
    ("train", [*GIN, "--gin_bindings=training.train.epochs = %EPOHCS"], "%EPOHCS"),
    ("train", [*GIN, "--gin_bindings=training.train.epoch = 1"], "Did you mean 'epochs'?"),
    ("train", [*GIN, "--gin_bindings=attacks.PDG.steps = 1"], "Did you mean 'PGD'?"),
    ("train", [*GIN, "--gin_bindings=attacks.PGD.stepz = 1"], "Did you mean 'steps'?"),
    ("train", [*GIN, "--gin_bindings=x = @recipes.tradez"], "Did you mean 'trades'?"),
    ("train", [*GIN, "--gin_bindings=nope.x = 1"], "'nope'"),
    ("train", [*GIN, "--gin_bindings=import os"], "--trust"),
    ("train", [*GIN, "--gin_bindings=x = = 2"], "cannot be read"),
    ("train", [*GIN, "--gin_bindings=include 'gin/parts/pgd_01.gin'"], "'gin/parts/pgd_10.gin'"),
    ("train", ["--gin_file=SHELF/binary"], "is not a gin file"),
    ("train", ["--gin_file=gin/adv.gin", "--workdir=SHELF/full"], "thesis.tex"),
    ("train", ["--gin_file=gin/adv.gin", "--workdir=/proc/run"], "cannot be"),
    ("train", ["--gin_file=gin/adv.gin", "--workdir=SHELF/file/run"], "not a folder"),
    ("train", ["--verbosity=2", *GIN], "verbosity"),
    ("evaluate", ["--model=SHELF/empty"], "not a model"),
    ("evaluate", ["--model=SHELF/unfinished"], "not been finished"),
    ("evaluate", ["--model=SHELF/run_without_export"], "export/ is gone"),
    ("evaluate", ["--model=SHELF/run", "--suite=autoatack"], "'autoatack'"),
    ("evaluate", ["--model=SHELF/run", "--norm=L1"], "--epsilon"),
    ("evaluate", ["--model=SHELF/run", "--epsilon=8"], "'8/255'"),
    ("evaluate", ["--model=SHELF/run", "--epsilon=x"], "epsilon"),
    ("evaluate", ["--model=SHELF/run", "--suite=rat_blackbox"], "--surrogate"),
    ("evaluate", ["--model=SHELF/run", "--surrogate=SHELF/run"], "no surrogates"),
    ("evaluate", ["--model=SHELF/run", "--surrogate=nothing"], "nothing"),
    (
        "evaluate",
        ["--model=SHELF/run", "--suite=atlas_pgd20", "--norm=L2", "--epsilon=1"],
        "made for Linf",
    ),
    ("evaluate", ["--model=SHELF/run", "--data=nowhere.npz"], "nowhere.npz"),
    ("evaluate", ["--model=SHELF/run", "--data=mnist", "--data_dir=nowhere"], "nowhere"),
    ("evaluate", ["--model=SHELF/run", "--merge=SHELF/empty"], "no evaluation"),
    ("evaluate", ["--model=SHELF/run", "--shard=2/2"], "shard"),
    ("evaluate", ["--model=SHELF/run", "--workdir=SHELF/full"], "thesis.tex"),
    ("evaluate", ["--model=SHELF/run", "--workdir=new", "--resume=must"], "to resume"),
    ("evaluate", ["--model=SHELF/run", "--gin_file=gin/no.gin"], "no.gin"),
    ("compare", ["--gin_file=gin/adv.gin", "--gin_bindings=EPOCS = 1"], "'EPOCHS'"),
    ("compare", ["--gin_bindings=training.train.epoch = 1"], "epochs"),
    ("benchmark", ["--evaluate=SHELF/unfinished"], "not been finished"),
]


@pytest.fixture(scope="module")
def walked(shelf, tmp_path_factory):
    """(name, arguments, word) -> what came of it, for all rows in one process."""
    rows = [*bad_requests.FLAGS, *MORE]
    lines = [[n, *(a.replace("SHELF", str(shelf)) for a in arguments)] for n, arguments, _ in rows]
    return list(zip(rows, walk(lines, tmp_path_factory.mktemp("cwd")), strict=True))


def test_all_that_can_be_seen_is_said_before_tensorflow(walked):
    late = []
    for (name, arguments, word), (status, told, imported) in walked:
        assert not imported, (name, arguments)
        if status == "late":
            late.append(word)
            continue
        assert status == 2 and told.startswith("error: ") and told.count("\n") == 1, told
        assert word.replace("SHELF", "").lower() in told.lower(), (name, arguments, told)
    assert late == LATE


@pytest.mark.parametrize("name", NAMES)
def test_help_and_good_requests_pass(name, shelf, tmp_path):
    good = {
        "benchmark": ["--methods=Natural"],
        "certify": [f"--model={shelf}/run"],
        "compare": ["--seeds=0"],
        "doctor": ["--notrials"],
        "evaluate": [f"--model={shelf}/run"],
        "export": [f"--model={shelf}/good.keras", f"--workdir={tmp_path}/served"],
        "paper_table": ["--list"],
        "plot": ["curves", f"{shelf}/metrics_good"],
        "sweep": ["--gin_file=gin/trades.gin", "--seeds=0"],
        "table": [f"{shelf}/report_good"],
        "train": ["--gin_file=gin/trades_mer.gin"],
    }[name]
    helped, passed = walk([[name, "--help"], [name, *good]], tmp_path)
    assert helped[0] == 0 and "--verbosity" in helped[1] and not helped[2]
    # Tables and curves need no TensorFlow at all, and doctor looks at it in another process.
    without = ("doctor", "paper_table", "plot", "table")
    assert passed[0] == (0 if name in without else "late") and not passed[2], passed


def test_every_file_of_ours_passes():
    files = [*ROOT.glob("gin/*.gin"), *ROOT.glob("gin/paper/*/*.gin")]
    assert len(files) > 100
    for file in [*files, *ROOT.glob("gin/evaluation/*.gin")]:
        Preview([str(file)], root=ROOT).check_macros()


def test_the_source_says_what_the_package_does():
    told = 0
    for room in ROOMS:
        module = getattr(tfrobust, room)
        for name in module.__all__:
            found = source.find(f"tfrobust.{room}.{name}")
            assert not isinstance(found, source.Missing), (room, name)
            if not isinstance(found, source.Definition) or found.parameters() is None:
                continue
            signature = inspect.signature(getattr(module, name)).parameters
            assert found.parameters() == set(signature), (room, name)
            told += 1
        assert isinstance(source.find(f"tfrobust.{room}.no_such_thing"), source.Missing)
    # The source tells of nearly all.
    assert told > 100


def test_names_of_suites_and_methods_are_the_package_s():
    assert first_look.list_suites() == evaluation.list_suites()
    first_look.check_methods(list(METHODS))


def test_the_package_is_whole_after_a_first_look():
    """A command's process has the front's names, one class a name, and Keras's registry."""
    code = """
import sys
import tfrobust_command

initialise = tfrobust_command._open_package()
from tfrobust.commands.start import first_look
from tfrobust.errors import UserError

assert "tensorflow" not in sys.modules
import tensorflow, keras

before = set(sys.modules)
initialise()
import tfrobust

assert tfrobust.UserError is UserError
assert keras.saving.get_registered_object("tfrobust>TRADES") is tfrobust.TRADES
assert tfrobust.__spec__.name == "tfrobust" and tfrobust.__path__
# Keras imports some of them for itself, where they are installed; tfrobust none beside those.
heavy = {"jinja2", "matplotlib", "scipy", "sklearn", "tensorboard", "tensorflow_datasets"}
assert not heavy & (set(sys.modules) - before), heavy & (set(sys.modules) - before)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": PATHS},
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
