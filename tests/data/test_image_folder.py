"""Folders of images by class: the pixels of lossless files come back, and a bad file is named."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfrobust.data import image_folder
from tfrobust.data.resize import crop_and_resize
from tfrobust.data.sources.one_split import read_pictures
from tfrobust.errors import UserError
from tfrobust.runs.origin import list_class_folders

RNG = np.random.default_rng(0)


def fill(folder, count, size=(6, 4), mode="RGB"):
    """Writes `count` random images; returns their pixels, in the order of their names."""
    folder.mkdir(parents=True)
    channels = {"RGB": (3,), "L": (), "RGBA": (4,)}[mode]
    pixels = RNG.integers(0, 256, (count, *size, *channels), np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{i:03}.png")
    return pixels


def test_train_and_test_folders(tmp_path):
    train = {c: fill(tmp_path / "train" / c, 10) for c in ("cat", "ape")}
    test = {c: fill(tmp_path / "test" / c, 3) for c in ("cat", "ape")}
    (tmp_path / "train" / "cat" / ".hidden").write_text("")
    splits = image_folder(tmp_path, (6, 4), validation=4)
    assert splits.info.class_names == ("ape", "cat")
    assert splits.info.counts == {"train": 16, "validation": 4, "test": 6}
    np.testing.assert_array_equal(splits.test.images, np.concatenate([test["ape"], test["cat"]]))
    np.testing.assert_array_equal(splits.test.labels, [0, 0, 0, 1, 1, 1])
    source = np.concatenate([train["ape"], train["cat"]])
    for split in (splits.train, splits.validation):
        np.testing.assert_array_equal(split.images, source[split.ids])
        np.testing.assert_array_equal(split.labels, split.ids // 10)
    fill(tmp_path / "validation" / "cat", 2), fill(tmp_path / "validation" / "ape", 1)
    assert image_folder(tmp_path, (6, 4)).info.counts == {"train": 20, "validation": 3, "test": 6}


def test_one_tree_is_cut(tmp_path):
    for c in ("a", "b"):
        fill(tmp_path / c, 20)
    splits = image_folder(tmp_path, (6, 4), validation=8, validation_seed=1)
    assert splits.info.counts == {"train": 24, "validation": 8, "test": 8}
    assert np.bincount(splits.test.labels).tolist() == [4, 4]
    ids = [splits.train.ids, splits.validation.ids, splits.test.ids]
    assert sorted(np.concatenate(ids)) == list(range(40))
    again = image_folder(tmp_path, (6, 4), validation=5, validation_seed=9)
    np.testing.assert_array_equal(again.test.ids, splits.test.ids)
    assert len(image_folder(tmp_path, (6, 4), test=10).test) == 10


def test_channels(tmp_path):
    for c in ("a", "b"):
        gray = fill(tmp_path / c, 5, mode="L")
    splits = image_folder(tmp_path, (6, 4), channels=1, test=2, validation=2)
    assert splits.info.image_shape == (6, 4, 1)
    color = image_folder(tmp_path, (6, 4), channels=3, test=2, validation=2)
    np.testing.assert_array_equal(color.train.images, np.repeat(splits.train.images, 3, axis=-1))
    for image, place in zip(splits.train.images, splits.train.ids, strict=True):
        if place >= 5:
            np.testing.assert_array_equal(image[..., 0], gray[place - 5])


def test_shrinking_is_the_rounded_mean_and_keeps_proportions():
    # Columns 201, 0, 0, 202, again and again: shrunk by 4, all weigh the same. 403 / 4 = 100.75.
    columns = np.tile(np.array([201, 0, 0, 202], np.uint8), 10)
    small = crop_and_resize(np.tile(columns[None, :, None], (8, 1, 1)), (2, 10)).numpy()
    assert small.shape == (2, 10, 1)
    np.testing.assert_array_equal(small[:, 1:-1], 101)
    # A wide image loses its sides, not its shape.
    wide = np.zeros((10, 30, 1), np.uint8)
    wide[:, 10:20] = 200
    np.testing.assert_array_equal(crop_and_resize(wide, (5, 5)), np.full((5, 5, 1), 200))
    np.testing.assert_array_equal(crop_and_resize(wide, (10, 30)), wide)


@pytest.fixture
def tree(tmp_path):
    for c in ("a", "b"):
        fill(tmp_path / c, 5)
    return tmp_path


def test_an_unreadable_file_is_named(tree):
    (tree / "b" / "bad.png").write_bytes(b"no image")
    with pytest.raises(
        UserError, match=r"/b/bad\.png cannot be read as an image.*: cannot identify"
    ):
        image_folder(tree, 4)


def test_a_truncated_file_is_named(tree):
    data = (tree / "b" / "000.png").read_bytes()
    (tree / "b" / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"/b/cut\.png cannot be read as an image"):
        image_folder(tree, 4)


def test_more_than_eight_bits_are_refused(tree):
    Image.fromarray(np.full((6, 4), 40000, np.uint16)).save(tree / "a" / "deep.png")
    with pytest.raises(UserError, match=r"/a/deep\.png cannot be read.*more than 8 bits"):
        image_folder(tree, 4)


def test_another_file_is_named(tree):
    (tree / "a" / "labels.txt").write_text("")
    with pytest.raises(UserError, match=r"/a/labels\.txt is not an image"):
        image_folder(tree, 4)


def test_a_class_without_images_is_named(tree):
    (tree / "c").mkdir()
    with pytest.raises(
        UserError, match=r"/c holds no pictures: each of the classes.*remove the folder"
    ):
        image_folder(tree, 4)


@pytest.mark.parametrize("name", ["validation", "val", "valid"])
def test_a_validation_folder_counts_by_each_of_its_usual_names(tmp_path, name):
    for split, count in (("train", 4), ("test", 2), (name, 3)):
        for c in ("a", "b"):
            fill(tmp_path / split / c, count)
    assert image_folder(tmp_path, (6, 4)).info.counts == {"train": 8, "validation": 6, "test": 4}
    own, names = read_pictures(tmp_path, "validation", (6, 4), 3)
    assert (len(own), names) == (6, ["a", "b"])
    # What a command looks at before it imports TensorFlow.
    assert list_class_folders(tmp_path, "validation") == names
    assert list_class_folders(tmp_path / "gone", "test") == []


def test_no_folder_beside_those_of_splits_is_passed_over(tmp_path):
    for split in ("train", "test"):
        fill(tmp_path / split / "a", 2), fill(tmp_path / split / "b", 2)
    with pytest.raises(
        UserError, match=r"has the folders \['test', 'train'\], and none of the validation"
    ):
        read_pictures(tmp_path, "validation", (6, 4), 3)
    fill(tmp_path / "vali" / "a", 2)
    with pytest.raises(UserError, match="has the folder 'vali' beside 'test' and 'train'"):
        image_folder(tmp_path, 4)
    (tmp_path / "vali").rename(tmp_path / "val"), (tmp_path / "valid").mkdir()
    with pytest.raises(UserError, match="two folders of the validation split, 'val' and 'valid'"):
        image_folder(tmp_path, 4)


def test_what_systems_leave_is_no_picture_and_no_class(tree):
    before = image_folder(tree, 4, test=2, validation=2)
    for name in (".DS_Store", "b/Thumbs.db", "b/desktop.ini", "b/._000.png"):
        (tree / name).write_text("left")
    (tree / "__MACOSX").mkdir()
    after = image_folder(tree, 4, test=2, validation=2)
    assert after.info == before.info
    np.testing.assert_array_equal(after.train.images, before.train.images)


def test_classes_that_are_numbers_are_those_numbers(tmp_path):
    for c in range(11):
        fill(tmp_path / str(c), 4)
    splits = image_folder(tmp_path, (6, 4), validation=11, test=11)
    assert splits.info.class_names == tuple(map(str, range(11)))
    read, names = read_pictures(tmp_path, "test", (6, 4), 3)
    assert [names[label] for label in read.labels] == [str(n // 4) for n in range(44)]


def test_pictures_in_the_wrong_place_are_told_where_to_go(tree):
    (tree / "a" / "more").mkdir()
    with pytest.raises(UserError, match=r"/a/more is a folder where pictures are expected"):
        image_folder(tree, 4)
    with pytest.raises(UserError, match=r"/b has the class folders \[\].*named after it.*CSV"):
        image_folder(tree / "b", 4)


def test_folders_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(UserError, match="none is not a folder"):
        image_folder(tmp_path / "none", 4)
    with pytest.raises(UserError, match=r"has the class folders \[\]"):
        image_folder(tmp_path, 4)
    fill(tmp_path / "train" / "a", 3), fill(tmp_path / "train" / "b", 3)
    with pytest.raises(UserError, match=r"/test does not exist"):
        image_folder(tmp_path, 4)
    fill(tmp_path / "test" / "a", 3), fill(tmp_path / "test" / "z", 3)
    with pytest.raises(
        UserError, match=r"/test has the class folder 'z', but the classes of the training"
    ):
        image_folder(tmp_path, 4)
    with pytest.raises(UserError, match="`test`=0.1 would have no effect"):
        image_folder(tmp_path, 4, test=0.1)


@pytest.mark.parametrize("size", [0, (4,), 2.5, (4, "4")], ids=repr)
def test_a_bad_image_size_is_refused(tree, size):
    with pytest.raises(UserError, match="`image_size` must be"):
        image_folder(tree, size)


def test_bad_channels_are_refused(tree):
    with pytest.raises(UserError, match="`channels` must be 1"):
        image_folder(tree, 4, channels=4)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "TIFF", "PPM", "ICO", "TGA", "SGI"])
def test_the_content_of_a_file_counts_and_not_its_name(tree, kind):
    content = io.BytesIO()
    Image.fromarray(np.zeros((6, 4, 3), np.uint8)).save(content, kind)
    (tree / "a" / "000.png").write_bytes(content.getvalue())
    with pytest.raises(
        UserError, match=r"/a/000\.png cannot be read as an image \(BMP, GIF.*cannot identify"
    ):
        image_folder(tree, 4)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "WEBP"])
def test_the_five_formats_are_read_whatever_they_are_called(tree, kind):
    content = io.BytesIO()
    Image.fromarray(np.full((6, 4, 3), 200, np.uint8)).save(content, kind)
    (tree / "a" / "000.png").write_bytes(content.getvalue())
    splits = image_folder(tree, (6, 4), validation=2, test=2)
    images = np.concatenate([getattr(splits, n).images for n in ("train", "validation", "test")])
    assert any(np.abs(image.astype(int) - 200).max() <= 3 for image in images)


def test_only_regular_files_are_opened(tree):
    os.mkfifo(tree / "a" / "pipe.png")
    with pytest.raises(UserError, match=r"/a/pipe\.png is not a regular file"):
        image_folder(tree, 4)
    (tree / "a" / "pipe.png").unlink()
    (tree / "a" / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"/a/zero\.png is not a regular file"):
        image_folder(tree, 4)
    (tree / "a" / "zero.png").unlink()
    (tree / "a" / "gone.png").symlink_to(tree / "nothing")
    with pytest.raises(UserError, match=r"/a/gone\.png is not an image"):
        image_folder(tree, 4)


def test_pixels_are_counted_before_they_are_decoded(tree, monkeypatch):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 13000, 13000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    (tree / "a" / "bomb.png").write_bytes(bomb)
    convert = Image.Image.convert

    def refuse(image, mode):
        return pytest.fail("it was decoded") if image.width == 13000 else convert(image, mode)

    monkeypatch.setattr(Image.Image, "convert", refuse)
    with pytest.raises(
        UserError, match=r"/a/bomb\.png cannot.*13000 x 13000 pixels, more than 67108864"
    ):
        image_folder(tree, 4)
