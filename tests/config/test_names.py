"""A gin file from a stranger imports and calls nothing of his; the settings of his run neither."""

import json
import pathlib
import sys

import pytest

from tfrobust import L2, Linf, data
from tfrobust.config.configuration import Configuration
from tfrobust.errors import UserError
from tfrobust.evaluation import read_run_settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
DYNAMIC = "from __gin__ import dynamic_registration\n"
STRANGER = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\ndef f(): pass\n"
HOSTILE = {
    "an import": ("import stranger", "import stranger"),
    "an import that breaks off": ("import stranger\n = no gin", "import stranger"),
    "an alias": ("import os as models\nx = @models.system()", "@os.system"),
    "from": ("from os import path\nx = @path.join()", "from os import path"),
    "a binding": ("import os\nos.system.command = 'true'", "@os.system"),
    "a block": ("import os\nos.system:\n  command = 'true'", "@os.system"),
    "within a value": ("import os\nx = {'a': [(1, @scope/os.system)]}", "@os.system"),
    "through a module of ours": (
        "from tfrobust.config import configuration\nx = @configuration.pathlib.os.system()",
        "@tfrobust.config.configuration.pathlib.os.system",
    ),
    "a function of ours that removes": (
        "from tfrobust.runs import files\nx = @files.remove_folder()",
        "@tfrobust.runs.files.remove_folder",
    ),
    "a function of ours that trusts": (
        "from tfrobust import evaluation\nx = @evaluation.Subject.of()",
        "@tfrobust.evaluation.Subject.of",
    ),
    "Keras's loading": (
        "from keras import saving\nx = @saving.load_model()",
        "@keras.saving.load_model",
    ),
    "Keras's callbacks that write": (
        "from keras import callbacks\nx = @callbacks.ModelCheckpoint()",
        "@keras.callbacks.ModelCheckpoint",
    ),
    "Keras's inner modules": (
        "from keras.src.utils import file_utils\nx = @file_utils.get_file()",
        "@keras.src.utils.file_utils.get_file",
    ),
    "a package in which to look for a file": (
        "include 'stranger/x.gin'",
        "no gin file 'stranger/x.gin'",
    ),
}


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Leaves stranger.ran when it is imported."""
    (tmp_path / "stranger.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "stranger.ran"
    sys.modules.pop("stranger", None)


@pytest.mark.parametrize("head", [DYNAMIC, ""], ids=["dynamic", "static"])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_ours_is_named_and_not_run(tmp_path, stranger, name, head):
    text, told = HOSTILE[name]
    path = tmp_path / "some.gin"
    path.write_text(head + text)
    (tmp_path / "outer.gin").write_text(f"include '{path}'\n")
    for file in (path, tmp_path / "outer.gin"):
        with pytest.raises(UserError) as error:
            Configuration([str(file)], root=ROOT)
        assert told in str(error.value) and "\n" not in str(error.value)
    if "include" not in text and "\n =" not in text:
        with pytest.raises(UserError, match="--gin_bindings names"):
            Configuration(["gin/adv.gin"], text.splitlines(), ROOT)
    assert not stranger.exists()


def test_with_trust_it_is_run_and_only_then(tmp_path, stranger):
    path = tmp_path / "some.gin"
    path.write_text(DYNAMIC + "import stranger\nx = @stranger.f()")
    with pytest.raises(UserError, match="give --trust"):
        Configuration([str(path)])
    assert not stranger.exists()
    Configuration([str(path)], trust=True)
    assert stranger.exists()
    # Registered once, it is refused again where only gin's registry knows it.
    path.write_text("x = @f")
    with pytest.raises(UserError, match="f"):
        Configuration([str(path)])


def test_what_files_of_users_use_is_free(tmp_path):
    path = tmp_path / "some.gin"
    path.write_text(
        DYNAMIC
        + "import keras.optimizers as o\nfrom keras import callbacks\nfrom tfrobust.ops import schedules\n"
        "from tfrobust.training.callbacks import plateau\n"
        "x = [@o.SGD, @callbacks.EarlyStopping, @schedules.Steps(), @plateau.Plateau, @gin.singleton()]"
    )
    Configuration([str(path)])


@pytest.mark.parametrize("file", sorted(ROOT.glob("gin/evaluation/*.gin")), ids=lambda p: p.stem)
def test_files_that_are_shipped_need_no_trust(file):
    # The others are read in test_config.py, without trust too.
    Configuration([str(file)], root=ROOT)


def former_run(folder, text):
    (folder / "config.gin").write_text(text)
    return folder


def test_a_former_run_is_read_without_running_its_configuration(tmp_path, stranger):
    given = Configuration(
        ["gin/adv.gin"], ["EPSILON = '8/255'", "data.digits.validation = 100"], ROOT
    ).given
    hostile = given.replace(
        "from tfrobust import data\n", "from tfrobust import data\nimport stranger\n"
    )
    hostile += "\ntraining.train.callbacks = [@stranger.f()]\n"
    splits, threat_model = read_run_settings(former_run(tmp_path, hostile))
    assert threat_model == Linf("8/255") and len(splits.validation) == 100
    assert not stranger.exists() and "stranger" not in sys.modules


@pytest.mark.parametrize(
    "text",
    [
        "import stranger\nfrom tfrobust import training\ntraining.train.data = @stranger.f\n",
        "\x00\xff",
        "",
        "training.train.data = @data.digits",
        "from tfrobust import training\nfrom tfrobust import data\ntraining.train.data = @data.hold_out\n"
        "training.train.test_attack = @data.digits()",
    ],
)
def test_a_former_run_that_does_not_say_is_refused(tmp_path, stranger, text):
    with pytest.raises(UserError, match="does not say.*--data"):
        read_run_settings(former_run(tmp_path, DYNAMIC + text))
    assert not stranger.exists()


RECORD = {
    "seed": 0,
    "starts": [],
    "data": {"source": {"name": "digits", "arguments": {"validation": 100}}},
    "threat_model": {"norm": "L2", "epsilon": "128/255"},
}


def test_a_run_says_itself_and_its_configuration_is_not_looked_at(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    splits, threat_model = read_run_settings(former_run(tmp_path, "import os"))
    assert threat_model == L2("128/255") and splits.info.name == "digits"
    assert len(splits.validation) == 100 and splits.info.source == {
        "name": "digits",
        "arguments": {"validation": 100, "validation_seed": 0},
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data": {"source": {"name": "make_splits", "arguments": {}}}}, "is not a data set"),
        ({"data": {"source": {"name": "digits", "arguments": {"x": 1}}}}, "is not a data set"),
        ({"data": {"source": {"name": ["digits"], "arguments": {}}}}, "is not a data set"),
        ({"data": {"source": "digits"}}, "is not a data set"),
        ({"data": {"source": None}}, "does not say"),
        ({"data": None}, "does not say"),
        ({"data": []}, "does not say"),
        ({"data": [1]}, "does not say"),
        (
            {"data": {"source": {"name": "npz", "arguments": {"path": 3}}}},
            "not a regular file",
        ),
        ({"data": {"source": {"name": "digits", "arguments": {"validation": {}}}}}, "validation"),
        ({"threat_model": {"norm": "os", "epsilon": 1}}, "does not describe a threat model"),
        ({"threat_model": {"norm": [], "epsilon": 1}}, "does not describe a threat model"),
        ({"threat_model": {"norm": "Linf", "epsilon": "__import__('os')"}}, "epsilon"),
        ({"threat_model": {"norm": "Linf", "epsilon": [1]}}, "epsilon"),
        ({"threat_model": "Linf(1)"}, "does not describe a threat model"),
    ],
)
def test_a_record_that_somebody_has_changed_is_refused(tmp_path, change, told):
    (tmp_path / "run.json").write_text(json.dumps({**RECORD, **change}))
    with pytest.raises(UserError, match=told):
        read_run_settings(tmp_path)


def test_a_stranger_s_run_neither_downloads_nor_says_where_prepared_data_are(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setitem(
        data.sources.load.SOURCES,
        "tfds_images",
        lambda name, data_dir=None, download=False: seen.append((name, data_dir, download)),
    )
    data.sources.load.load_source(
        {
            "name": "tfds_images",
            "arguments": {"name": "mnist", "data_dir": "/tmp", "download": True},
        }
    )
    assert seen == [("mnist", None, False)]
