"""Lists of pictures and folders of .npy files: splits, classes, and mistakes that are named in time."""

import numpy as np
import pytest
from PIL import Image

from tfrobust.data import RandomResizedCrop, StoredSplit, image_list, npy
from tfrobust.errors import UserError

COUNT = 20


@pytest.fixture
def write(tmp_path):
    """Writes twenty pictures, number n of the color 10 n, and a list of given columns; returns its path."""
    for number in range(COUNT):
        pixels = np.full((8, 10, 3), 10 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")

    def call(header="path,label", lines=None):
        lines = (
            [f"{n}.png,{'dark' if n < 10 else 'light'}" for n in range(COUNT)]
            if lines is None
            else lines
        )
        path = tmp_path / "pictures.csv"
        path.write_text("\n".join([header, *lines]))
        return path

    return call


@pytest.mark.parametrize("limit", [0, 8])
def test_every_picture_is_once_in_one_split(write, limit):
    splits = image_list(write(), 8, validation=4, test=4, memory_limit_gib=limit)
    parts = [splits.train, splits.validation, splits.test]
    assert [len(part) for part in parts] == [12, 4, 4]
    assert sorted(np.concatenate([part.ids for part in parts])) == list(range(COUNT))
    for part in parts:
        loaded = part.load()
        np.testing.assert_array_equal(loaded.images[:, 0, 0, 0], 10 * part.ids)
        np.testing.assert_array_equal(part.labels, part.ids >= 10)
        assert np.bincount(part.labels).tolist() == [len(part) // 2] * 2
    assert splits.info.class_names == ("dark", "light")


def test_numbers_and_a_column_of_splits(write):
    split = ["train"] * 8 + ["validation"] * 6 + ["test"] * 6
    lines = [f"{split[n]},{n % 2},{n}.png" for n in range(COUNT)]
    splits = image_list(write("split,label,path", lines), 8)
    assert splits.info.counts == {"train": 8, "validation": 6, "test": 6}
    assert splits.info.class_names == ("0", "1")
    np.testing.assert_array_equal(splits.test.labels, splits.test.ids % 2)
    np.testing.assert_array_equal(splits.test.ids, np.arange(14, 20))
    as_others_write = [line.replace("validation", "val") for line in lines]
    again = image_list(write("split,label,path", [*as_others_write, "", ""]), 8)
    np.testing.assert_array_equal(again.validation.ids, splits.validation.ids)
    with pytest.raises(UserError, match="column `split`, so `test`=4 would have no effect"):
        image_list(write("split,label,path", lines), 8, test=4)
    lines = [line.replace("validation", "train") for line in lines]
    held_out = image_list(write("split,label,path", lines), 8, validation=4)
    assert held_out.info.counts == {"train": 10, "validation": 4, "test": 6}


def test_random_crops_leave_the_training_pictures_in_their_files(write):
    splits = image_list(write(), 8, train_crop=RandomResizedCrop())
    assert isinstance(splits.train, StoredSplit) and not isinstance(splits.test, StoredSplit)
    assert splits.describe_storage() == (
        f"train read from the files of {write().parent}: random crops need the whole pictures; "
        "validation and test in memory"
    )


@pytest.mark.parametrize(
    ("header", "lines", "told"),
    [
        ("", [], "cannot be read as CSV: it is empty"),
        (
            "file,label",
            ["0.png,x"],
            "has the columns ['file', 'label']. The file needs a first line",
        ),
        ("path,label,fold", ["0.png,x,1"], "Rename or remove the others"),
        ("path,label", [], "lists no pictures"),
        ("path,label", ["0.png,a", "1.png"], "Line 3 of"),
        ("path,label", ["0.png,a", "1.png,"], "Line 3 of"),
        ("path,label", ["0.png,a", "0.png,b"], "lists 0.png twice, in lines 2 and 3"),
        ("path,label", ["0.png,a", "gone.png,b"], "Line 3 of"),
        ("path,label", ["0.png,a", "pictures.csv,b"], "pictures.csv is not an image"),
        ("path,label", ["0.png,0", "1.png,-1"], "Line 3 of"),
        ("path,label", ["0.png,0", "1.png,2"], "no picture has the label 1"),
        ("path,label,split", ["0.png,a,train", "1.png,b,tset"], "has the split 'tset'"),
        ("path,label,split", ["0.png,a,train", "1.png,b,train"], "no line of 'test'"),
    ],
)
def test_mistakes_in_a_list_are_named(write, header, lines, told):
    with pytest.raises(UserError) as caught:
        image_list(write(header, lines), 8)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_list_that_is_no_text_or_not_there_is_named(write, tmp_path):
    with pytest.raises(UserError, match=r"gone\.csv cannot be read as CSV: No such file"):
        image_list(tmp_path / "gone.csv", 8)
    with pytest.raises(UserError, match="is not a regular file"):
        image_list(tmp_path, 8)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"bytes\.csv cannot be read as CSV"):
        image_list(tmp_path / "bytes.csv", 8)
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(UserError, match=r"empty\.csv cannot be read as CSV: it is empty"):
        image_list(tmp_path / "empty.csv", 8)
    (tmp_path / "5.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"5\.png is empty"):
        image_list(write_again(tmp_path), 8)


def write_again(folder):
    path = folder / "again.csv"
    path.write_text("path,label\n" + "\n".join(f"{n}.png,{n % 2}" for n in range(COUNT)))
    return path


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"memory_limit_gib": -1}, "`memory_limit_gib` must be finite and at least 0"),
        ({"train_crop": "random"}, "`train_crop` must be a crop such as data.RandomResizedCrop()"),
        ({"test_crop": RandomResizedCrop()}, "evaluation draws nothing"),
        ({"channels": 2}, "`channels` must be 1"),
    ],
)
def test_settings_are_checked_first(tmp_path, setting, told):
    with pytest.raises(UserError) as caught:
        image_list(tmp_path / "gone.csv", 8, **setting)
    assert told in str(caught.value)


@pytest.fixture
def arrays(tmp_path):
    def call(**changes):
        x, y = np.zeros((COUNT, 4, 4, 1), np.uint8), np.arange(COUNT) % 2
        for name, array in (
            {"x_train": x, "y_train": y, "x_test": x, "y_test": y} | changes
        ).items():
            np.save(tmp_path / f"{name}.npy", array)
        return tmp_path

    return call


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"x_train": np.zeros((COUNT, 4, 4), np.uint8)},
            "images must be (n, height, width, channels)",
        ),
        ({"y_train": np.zeros(3, int)}, "exactly one label for each"),
        ({"y_test": np.full(COUNT, -1)}, "`y_test.npy`[0] is -1"),
        ({"x_test": np.zeros((COUNT, 5, 4, 1), np.uint8)}, "must have the same shape"),
        ({"x_train": np.full((COUNT, 4, 4, 1), 255.0)}, "must have all pixels in [0, 1]"),
        ({"x_train": np.zeros((COUNT, 4, 4, 1), np.int32)}, "int32"),
        ({"x_train": np.array([None])}, "Python objects, which are never read"),
        ({"x_validation": np.zeros((2, 4, 4, 1), np.uint8)}, "y_validation.npy does not exist"),
    ],
)
def test_mistakes_in_npy_files_are_named(arrays, changes, told):
    if changes.get("x_train", np.zeros(1)).dtype == object:
        folder = arrays()
        np.save(folder / "x_train.npy", changes["x_train"], allow_pickle=True)
    else:
        folder = arrays(**changes)
    with pytest.raises(UserError) as caught:
        npy(folder)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_pixel_out_of_range_is_named_when_its_image_is_read(arrays):
    x = np.zeros((COUNT, 4, 4, 1), np.float64)
    x[7, 1, 2, 0] = 3
    splits = npy(arrays(x_train=x), memory_limit_gib=0, validation=2)
    assert splits.train.dtype == np.float32
    with pytest.raises(
        UserError, match=r"images\[7:8\] of .*x_train\.npy.*holds 3 at pixel \(1, 2, 0\)"
    ):
        splits.train.load(), splits.validation.load()


def test_validation_and_names_may_be_given(arrays):
    x, y = np.ones((6, 4, 4, 1), np.uint8), np.arange(6) % 2
    folder = arrays(x_validation=x, y_validation=y, class_names=np.array(["no", "yes"]))
    splits = npy(folder, memory_limit_gib=0)
    assert splits.info.counts == {"train": 20, "validation": 6, "test": 20}
    assert splits.info.class_names == ("no", "yes")
    assert splits.train.storage.startswith(f"read from {folder}/x_train.npy by a memory map: ")
