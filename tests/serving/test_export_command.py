"""bin/export.py: a classifier that was trained elsewhere gets an export, its next version and its card."""

import json
import re

import keras
import pytest

from tfrobust.commands.export import COMMAND
from tfrobust.runs.exported import list_versions


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("elsewhere") / "model.keras"
    layers = [keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential([keras.Input((4, 4, 1)), *layers]).save(path)
    return path


def call(*arguments):
    return COMMAND.main(["export", *arguments])


def test_an_export_its_next_version_and_its_card(file, tmp_path, capsys):
    folder = tmp_path / "pets"
    given = f"--model={file}", f"--workdir={folder}"
    assert call(*given, "--class_names=cat,dog,ape") == 0
    assert call(*given, "--class_names=cat,dog,emu", "--license=mit") == 0
    assert list_versions(folder) == [1, 2]
    content = json.loads((folder / "export.json").read_text())
    assert content["class_names"] == ["cat", "dog", "emu"] and content["license"] == "mit"
    assert call(f"--model={folder}", "--format=card", "--license=apache-2.0") == 0
    assert 'license: "apache-2.0"' in (folder / "README.md").read_text()
    assert list_versions(folder) == [1, 2]
    # The folder is the classifier's own: without a --workdir there is nothing to export.
    capsys.readouterr()
    assert call(f"--model={folder}") == 2
    assert "is the export of this classifier already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--format=litert",), "give --data=... and --epsilon=..., or --nomeasure."),
        (("--format=onnx", "--data=digits"), "give --epsilon=..., or --nomeasure."),
        (("--format=litert_int8", "--nomeasure"), "calibrated on images.*give --data=...."),
    ],
)
def test_what_a_conversion_needs_is_told_at_once(file, tmp_path, capsys, given, told):
    assert call(f"--model={file}", f"--workdir={tmp_path / 'new'}", *given) == 2
    assert re.search(told, capsys.readouterr().err) and not (tmp_path / "new").exists()


def test_a_folder_of_other_weights_is_not_taken_for_this_classifier(file, tmp_path, capsys):
    folder = tmp_path / "pets"
    assert call(f"--model={file}", f"--workdir={folder}") == 0
    other = keras.models.clone_model(keras.saving.load_model(file))
    other.set_weights([weight + 1 for weight in other.get_weights()])
    other.save(tmp_path / "other.keras")
    for name in ("card", "litert"):
        arguments = f"--model={tmp_path / 'other.keras'}", f"--workdir={folder}", f"--format={name}"
        assert call(*arguments, "--nomeasure") == 2
        assert "of another classifier" in capsys.readouterr().err
