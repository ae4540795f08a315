"""Examples of folders, lists and arrays: of the classifier's size, by the names of its classes."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from tests.data.photos import draw_photos
from tfrobust import data
from tfrobust.commands.evaluate import COMMAND
from tfrobust.data.splits import Splits
from tfrobust.errors import UserError
from tfrobust.evaluation import Subject, load_examples
from tfrobust.evaluation.examples.of_origin import relabel
from tfrobust.runs.exported import find_classifier
from tfrobust.runs.origin import Origin, is_of_pictures, match_classes, read_origin

NAMES = ("triangle", "square", "circle", "star")
ORIGIN = Origin((16, 24, 3), NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of three of the classes; with a list and arrays of the same."""
    folder = tmp_path_factory.mktemp("pictures")
    draw_photos(folder / "photos", 24)
    lines = [f"photos/{p.parent.name}/{p.name},{p.parent.name}" for p in photos(folder)]
    (folder / "all.csv").write_text("\n".join(["path,label", *lines]))
    parts = [f"{line},{'test' if n % 2 else 'train'}" for n, line in enumerate(lines)]
    (folder / "cut.csv").write_text("\n".join(["path,label,split", *parts]))
    whole = data.image_folder(folder / "photos", (16, 24), test=8, validation=8)
    images = np.concatenate([s.images for s in (whole.train, whole.validation, whole.test)])
    order = np.argsort(np.concatenate([s.ids for s in (whole.train, whole.validation, whole.test)]))
    images, labels = images[order], np.repeat(np.arange(3), 8)
    names = np.array(["circle", "square", "triangle"])
    np.savez(folder / "all.npz", images=images, labels=labels, class_names=names)
    np.savez(folder / "plain.npz", images=images, labels=labels)
    return folder


def photos(folder):
    return sorted((folder / "photos").glob("*/*"))


@pytest.mark.parametrize("name", ["photos", "all.csv", "all.npz"])
def test_images_have_the_classifier_s_size_and_labels_are_matched_by_name(folder, name):
    examples = load_examples(folder / name, origin=ORIGIN)
    with np.load(folder / "all.npz") as arrays:
        np.testing.assert_array_equal(examples.x, arrays["images"] / np.float32(255))
    named = [NAMES[label] for label in examples.labels]
    assert named == [path.parent.name for path in photos(folder)]
    assert examples.name == f"{name} test"


def test_numbers_are_places(folder):
    assert load_examples(folder / "plain.npz", origin=ORIGIN).labels.tolist()[::8] == [0, 1, 2]
    bare = Origin((16, 24, 3))
    assert load_examples(folder / "all.npz", origin=bare).labels.tolist()[::8] == [0, 1, 2]
    assert match_classes(["2", "0"], None, "x") == [2, 0]


def test_of_the_training_data_the_split_of_the_training_counts(folder):
    trained = data.image_folder(folder / "photos", 8, test=8, validation=8)
    origin = Origin((8, 8, 3), trained.info.class_names, trained.info.source)
    for split in ("test", "validation"):
        examples = load_examples(folder / "photos", split, origin)
        np.testing.assert_array_equal(examples.ids, getattr(trained, split).ids)
        np.testing.assert_array_equal(examples.x, getattr(trained, split).images / np.float32(255))
    # Not of other pictures in the same run.
    assert len(load_examples(folder / "all.csv", origin=origin)) == 24


def test_a_classifier_of_numbered_classes_in_another_order_keeps_its_own(tmp_path):
    """Such as one that was trained when "10" came before "2"."""
    draw_photos(tmp_path / "photos", 44, classes=tuple(map(str, range(11))))
    trained = data.image_folder(tmp_path / "photos", 8, test=11, validation=11)
    names = tuple(sorted(trained.info.class_names))
    origin = Origin((8, 8, 3), names, trained.info.source)
    found = load_examples(tmp_path / "photos", "test", origin)
    assert [names[label] for label in found.labels] == list(map(str, trained.test.labels))


def test_a_list_and_a_folder_may_say_the_split(folder, tmp_path):
    examples = load_examples(folder / "cut.csv", origin=ORIGIN)
    named = [path.parent.name for path in photos(folder)][1::2]
    assert [NAMES[label] for label in examples.labels] == named
    with pytest.raises(UserError, match="no line of 'validation'"):
        load_examples(folder / "cut.csv", "validation", ORIGIN)
    draw_photos(tmp_path / "cut" / "test", 4, classes=("star",))
    assert load_examples(tmp_path / "cut", origin=ORIGIN).labels.tolist() == [3] * 4
    with pytest.raises(UserError, match="and none of the train split"):
        load_examples(tmp_path / "cut", "train", ORIGIN)


@pytest.mark.parametrize("name", ["photos", "all.csv", "all.npz"])
def test_a_class_that_the_classifier_lacks_is_refused(folder, name):
    with pytest.raises(UserError, match="the class 'triangle'.*circle, square.*by name"):
        load_examples(folder / name, origin=Origin((16, 24, 3), ("circle", "square")))


def test_names_and_sizes_that_nobody_says_are_asked_for(folder):
    bare = Origin((16, 24, 3))
    with pytest.raises(UserError, match="--class_names=cat,dog"):
        load_examples(folder / "photos", origin=bare)
    examples = load_examples(folder / "photos", origin=bare.with_names(NAMES))
    assert examples.labels.tolist()[::8] == [2, 1, 0]
    for shape in (None, (None, None, 3)):
        with pytest.raises(UserError, match="of which size"):
            load_examples(folder / "photos", origin=Origin(shape, NAMES))
    with pytest.raises(UserError, match="the same name"):
        bare.with_names(["a", "b", "a"])


def test_data_sets_with_names_are_matched_too():
    splits = data.digits()
    info = dataclasses.replace(splits.info, class_names=tuple("abcdefghij"))
    named = Splits(splits.train, splits.validation, splits.test, info)
    origin = Origin((8, 8, 1), tuple("jihgfedcba"))
    np.testing.assert_array_equal(
        load_examples(named, origin=origin).labels, 9 - splits.test.labels
    )
    with pytest.raises(UserError, match="the class 'j'"):
        load_examples(named, origin=Origin((8, 8, 1), tuple("abcdefghik")))

    hidden = data.StoredSplit(None, np.arange(3), None, 2)
    with pytest.raises(UserError, match="another order"):
        relabel(hidden, [1, 0], "The data set")
    assert relabel(hidden, [0, 1], "The data set") is hidden


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """The export of a run, with its records, of a classifier that has not learnt anything."""
    run = tmp_path_factory.mktemp("run")
    layers = [keras.Input((16, 24, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    (run / "export").mkdir()
    keras.Sequential(layers).save(run / "export" / "classifier.keras")
    record = {"image_shape": (16, 24, 3), "num_classes": 4, "class_names": NAMES}
    (run / "export" / "export.json").write_text(json.dumps(record))
    (run / "run.json").write_text(
        json.dumps(
            {"seed": 0, "starts": [], "data": {}, "threat_model": {"norm": "Linf", "epsilon": 0.1}}
        )
    )
    return run


def test_a_classifier_says_its_shape_and_its_classes(export, tmp_path):
    file = export / "export" / "classifier.keras"
    for path in (export, export / "export", file):
        assert read_origin(find_classifier(path)) == ORIGIN
        assert Subject.of(path).origin == ORIGIN
    # A SavedModel of the run knows where the training data are, and so what was held out of them.
    (tmp_path / "run" / "export" / "1").mkdir(parents=True)
    (tmp_path / "run" / "export" / "1" / "saved_model.pb").write_bytes(b"")
    source = {"name": "image_folder", "arguments": {"path": "photos"}}
    record = {"seed": 0, "starts": [], "data": {"source": source, "class_names": NAMES}}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    saved = read_origin(find_classifier(tmp_path / "run" / "export" / "1"))
    assert saved.class_names == NAMES and saved.is_source("./photos")
    (tmp_path / "bare.keras").write_bytes(file.read_bytes())
    assert Subject.of(tmp_path / "bare.keras").origin == Origin((16, 24, 3))


def test_a_plain_name_that_tfds_has_prepared_is_no_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert is_of_pictures("photos") and is_of_pictures("./photos") and is_of_pictures("any.csv")
    assert not is_of_pictures("cifar10") and not is_of_pictures("all.npz")
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    assert not is_of_pictures("photos") and is_of_pictures("./photos")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--data={photos}/gone"], "There is no folder"),
        (["--data=gone.csv"], "There is no file gone.csv"),
        (["--data={photos}/circle"], "has no folders"),
        (["--data={photos}", "--class_names=circle,square,star,moon"], "the class 'triangle'"),
        (["--data={photos}", "--class_names=circle,circle"], "the same name"),
    ],
)
def test_the_command_says_so_before_tensorflow_is_imported(export, folder, flags, told, capsys):
    def prepare(verbosity):
        pytest.fail("TensorFlow would be imported")

    flags = [flag.format(photos=folder / "photos") for flag in flags]
    assert COMMAND.main(["x", f"--model={export}", *flags], prepare) == 2
    assert told in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_command_evaluates_a_folder(export, folder, tmp_path, capsys):
    flags = [f"--model={export}", f"--data={folder / 'photos'}", f"--workdir={tmp_path / 'told'}"]
    assert COMMAND.main(["x", *flags, "--suite=pgd_20", "--checks=none"]) == 0
    rows = (tmp_path / "told" / "examples.csv").read_text().splitlines()
    assert len(rows) == 25
