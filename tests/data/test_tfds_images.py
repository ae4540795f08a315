"""TFDS sets that are there, and the message for those that are not: quick, one line, no network."""

import json
import os
import shutil
import socket
import time

import numpy as np
import pytest
from PIL import Image

from tfrobust.data import (
    CenterCrop,
    Flip,
    PadCrop,
    RandomResizedCrop,
    Split,
    StoredSplit,
    tfds_images,
)
from tfrobust.data.fingerprint import fingerprint
from tfrobust.data.sources.load import load_source
from tfrobust.data.sources.usual import USUAL
from tfrobust.errors import UserError

DATA_DIR = os.environ.get("TFDS_DATA_DIR", "")
HAS_MNIST = os.path.isdir(os.path.join(DATA_DIR, "mnist"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError(f"the network was asked: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A folder of small data sets in TFDS's own format."""
    import tensorflow_datasets as tfds

    folder = tmp_path_factory.mktemp("shelf")
    rng = np.random.default_rng(0)

    def put(name, shape, counts, label=None, size=None, **options):
        size = size or shape
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=shape),
                    "label": label or tfds.features.ClassLabel(names=["no", "yes"]),
                    "note": tfds.features.Text(),
                }
            ),
            split_datasets={
                split: [
                    (i, {"image": rng.integers(0, 256, size, np.uint8), "label": i % 2, "note": ""})
                    for i in range(count)
                ]
                for split, count in counts.items()
            },
            data_dir=str(folder),
            **options,
        )

    put("toy", (6, 4, 3), {"train": 40, "test": 10})
    put("toy_varying", (None, None, 3), {"train": 20, "test": 4}, size=(9, 12, 3))
    put("toy_untested", (6, 4, 1), {"train": 30, "validation": 6})
    shards = tfds.download.DownloadConfig(num_shards=3)
    put("toy_shards", (6, 4, 3), {"train": 150, "test": 10}, download_config=shards)
    for name in ("toy", "toy_varying"):
        copy_as_array_record(tfds, folder, name)
    put("toy_number", (6, 4, 1), {"train": 4}, label=tfds.features.Scalar(np.int64))
    return folder


def copy_as_array_record(tfds, folder, name):
    """The same examples in the same order, without TFDS's own shuffling."""
    builder = tfds.builder_from_directory(str(folder / name / "1.0.0"))
    tfds.dataset_builders.store_as_tfds_dataset(
        name=f"{name}_random_access",
        version="1.0.0",
        features=builder.info.features,
        split_datasets={
            split: list(enumerate(tfds.as_numpy(builder.as_dataset(split=split))))
            for split in builder.info.splits
        },
        data_dir=str(folder),
        file_format="array_record",
        disable_shuffling=True,
    )


def stored(shelf, name, split):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(shelf / name / "1.0.0"))
    found = list(tfds.as_numpy(builder.as_dataset(split=split)))
    return np.stack([e["image"] for e in found]), np.stack([e["label"] for e in found])


def test_pixels_and_labels_are_those_that_tfds_gives(shelf):
    splits = tfds_images("toy", shelf, validation=0.2)
    assert splits.info.counts == {"train": 32, "validation": 8, "test": 10}
    assert splits.info.class_names == ("no", "yes") and splits.info.image_shape == (6, 4, 3)
    images, labels = stored(shelf, "toy", "train")
    for split in (splits.train, splits.validation):
        assert split.images.dtype == np.uint8
        np.testing.assert_array_equal(split.images, images[split.ids])
        np.testing.assert_array_equal(split.labels, labels[split.ids])
    assert np.bincount(splits.validation.labels).tolist() == [4, 4]
    np.testing.assert_array_equal(splits.test.images, stored(shelf, "toy", "test")[0])


def test_nothing_is_logged_that_nobody_can_act_on(shelf, monkeypatch, caplog):
    from absl import logging

    # In place of once in a process.
    monkeypatch.setattr(logging, "log_first_n", lambda level, words, n: logging.log(level, words))
    tfds_images("toy", shelf, validation=2)
    logging.get_absl_logger().warning("FeatureConnector.dtype")
    assert [record.getMessage() for record in caplog.records] == ["FeatureConnector.dtype"]


def test_the_environment_names_the_folder(shelf, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(shelf))
    assert len(tfds_images("toy:1.0.0", validation=4).test) == 10


def test_parts_of_splits(shelf):
    splits = tfds_images(
        "toy", shelf, validation=2, train_split="train[:50%]", test_split="train[50%:]"
    )
    assert splits.info.counts == {"train": 18, "validation": 2, "test": 20}
    images, _ = stored(shelf, "toy", "train")
    np.testing.assert_array_equal(splits.test.images, images[20:])


def test_varying_images_need_a_size(shelf):
    with pytest.raises(
        UserError, match=r"have shape \(None, None, 3\), and so different sizes: give `image_size`"
    ):
        tfds_images("toy_varying", shelf, validation=2)
    splits = tfds_images("toy_varying", shelf, validation=2, image_size=(9, 12))
    images, _ = stored(shelf, "toy_varying", "test")
    np.testing.assert_array_equal(splits.test.images, images)
    assert tfds_images("toy_varying", shelf, validation=2, image_size=5).info.image_shape == (
        5,
        5,
        3,
    )


def test_a_missing_split_is_named(shelf):
    with pytest.raises(
        UserError, match=r"has no split 'test', it has \['train', 'validation'\]: set `test_split`"
    ):
        tfds_images("toy_untested", shelf, validation=2)
    assert len(tfds_images("toy_untested", shelf, validation=2, test_split="validation").test) == 6


def test_testing_on_the_training_split_is_refused(shelf):
    with pytest.raises(UserError, match="are both 'train'"):
        tfds_images("toy", shelf, test_split="train")


def test_a_set_without_class_label_is_refused(shelf):
    with pytest.raises(
        UserError, match=r"is not a data set for image classification.*\['image', 'label', 'note'\]"
    ):
        tfds_images("toy_number", shelf)


def test_a_set_that_does_not_fit_is_read_as_it_is_needed(shelf):
    # 50 images of 72 bytes.
    gib = 50 * 72 / 2**30
    one = tfds_images("toy", shelf, validation=4, memory_limit_gib=gib).test
    other = tfds_images("toy", shelf, validation=4, memory_limit_gib=gib * 0.99).test
    assert isinstance(one, Split) and isinstance(other, StoredSplit)
    np.testing.assert_array_equal(one.images, other.load().images)
    assert (
        "memory_limit_gib=3." in other.storage
        and "TFRecord, indexed at each start" in other.storage
    )


@pytest.mark.parametrize("name", ["toy", "toy_shards"])
@pytest.mark.parametrize("part", ["train", "train[30%:80%]"])
def test_records_have_the_order_in_which_tfds_reads_them(shelf, name, part):
    settings = {"data_dir": shelf, "validation": 0.2, "train_split": part}
    memory = tfds_images(name, **settings)
    files = tfds_images(name, memory_limit_gib=0, **settings)
    images = np.empty((len(memory.train) + len(memory.validation), 6, 4, 3), np.uint8)
    for split in (memory.train, memory.validation):
        images[split.ids] = split.images
    for split in (files.train, files.validation):
        loaded = split.load()
        np.testing.assert_array_equal(loaded.images, images[split.ids])
        # The two classes take turns in the source, which TFDS has shuffled: labels come with images.
        assert set(loaded.labels) <= {0, 1} and split.labels is None


def test_array_record_and_tfrecord_give_the_same_images(shelf):
    for name, size in (("toy", None), ("toy_varying", 5)):
        settings = {"data_dir": shelf, "validation": 4, "image_size": size}
        one = tfds_images(name, **settings)
        in_memory = tfds_images(f"{name}_random_access", **settings)
        files = tfds_images(f"{name}_random_access", memory_limit_gib=0, **settings)
        assert "ArrayRecord" in files.train.storage and isinstance(in_memory.train, Split)
        for split in ("train", "validation", "test"):
            ours, theirs = getattr(in_memory, split), getattr(one, split)
            np.testing.assert_array_equal(ours.images, theirs.images)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_array_equal(files.test.load().images, one.test.images)
        assert fingerprint(files) == fingerprint(
            tfds_images(f"{name}_random_access", memory_limit_gib=0, **settings)
        )


def test_imagenet_is_cropped_as_papers_do(shelf, monkeypatch):
    monkeypatch.setitem(USUAL, "toy_varying", USUAL["imagenet2012"])
    with pytest.raises(UserError, match="no split 'validation'"):
        tfds_images("toy_varying", shelf, image_size=7, validation=4)
    splits = tfds_images("toy_varying", shelf, image_size=7, validation=4, test_split="test")
    assert splits.info.augment == (Flip(),)
    assert splits.train.reader.crop == RandomResizedCrop()
    assert "random crops need the whole pictures" in splits.describe_storage()
    pictures, _ = stored(shelf, "toy_varying", "test")
    # 9 pixels become 8, of which 7 are cut out: 7.875 of 9 by 12.
    middle = (12 / 2 - 7.875 / 2, 9 / 2 - 7.875 / 2, 12 / 2 + 7.875 / 2, 9 / 2 + 7.875 / 2)
    for image, picture in zip(splits.test.images, pictures, strict=True):
        cut = Image.fromarray(picture).resize((7, 7), Image.Resampling.BILINEAR, middle)
        np.testing.assert_array_equal(image, np.asarray(cut))


def test_a_record_of_the_source_reads_the_same_crops(shelf, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(shelf))
    crops = {"train_crop": RandomResizedCrop(scale=(0.5, 1.0)), "test_crop": CenterCrop(9)}
    splits = tfds_images("toy_varying", image_size=7, validation=4, **crops)
    again = load_source(json.loads(json.dumps(splits.info.source)))
    assert again.info == splits.info and fingerprint(again) == fingerprint(splits)
    assert again.train.reader.crop == crops["train_crop"]


def test_a_damaged_set_is_named(shelf, tmp_path):
    shutil.copytree(shelf / "toy", tmp_path / "toy")
    (record,) = (tmp_path / "toy" / "1.0.0").glob("*train.tfrecord*")
    record.write_bytes(record.read_bytes()[:-100])
    with pytest.raises(UserError, match="'toy' in .* is damaged after .* of 40 examples") as caught:
        tfds_images("toy", tmp_path, validation=4)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="'toy' is damaged: .* has 39 of 40 examples"):
        tfds_images("toy", tmp_path, validation=4, memory_limit_gib=0)
    record.unlink()
    with pytest.raises(UserError, match="'toy' in .* is damaged after 0 of 40 examples"):
        tfds_images("toy", tmp_path, validation=4)


@pytest.mark.parametrize("name", ["cifar100", "svhn_cropped", "imagenet2012", "cifar10/none:3.*.*"])
def test_a_set_that_is_not_there_is_explained_at_once(shelf, name):
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        tfds_images(name, shelf)
    assert time.monotonic() - start < 3
    message = str(caught.value)
    assert "\n" not in message and str(shelf) in message
    assert f"`tfds build {name} --data_dir={shelf}` (or download=True)" in message
    for words in ("is not prepared in", "TFDS_DATA_DIR", "--data_dir", "embedded `digits`"):
        assert words in message
    assert os.listdir(shelf) and not os.path.exists(shelf / "cifar100")


def test_what_the_folder_holds_is_said(tmp_path):
    with pytest.raises(UserError, match="not prepared in .*/none, which does not exist"):
        tfds_images("mnist", tmp_path / "none")
    with pytest.raises(UserError, match="which contains no TFDS data set"):
        tfds_images("mnist", tmp_path)
    (tmp_path / "cifar10").mkdir()
    with pytest.raises(UserError, match="which contains cifar10"):
        tfds_images("mnist", tmp_path)
    with pytest.raises(UserError, match="has no complete copy of that version or config"):
        tfds_images("cifar10", tmp_path)


@pytest.mark.parametrize(
    "name, message",
    [
        ("cifar_10", "TFDS .* has none with this name. Did you mean 'cifar10'?"),
        ("zzzzqqqq", "has none with this name. Check the name"),
        ("huggingface:mnist", "Received: 'huggingface:mnist'"),
        ("mnist/", "`name` must be a TFDS name"),
        (3, "`name` must be a TFDS name"),
    ],
)
def test_a_wrong_name_is_explained(shelf, name, message):
    with pytest.raises(UserError, match=message):
        tfds_images(name, shelf)


def test_a_download_that_fails_is_explained(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    def fail(*arguments, **keywords):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(
        UserError, match="could not be downloaded and prepared in .*no route to host"
    ) as caught:
        tfds_images("mnist", tmp_path, download=True)
    assert "\n" not in str(caught.value) and "TFDS_DATA_DIR" in str(caught.value)


@pytest.mark.skipif(not HAS_MNIST, reason="TFDS_DATA_DIR names no folder that holds mnist")
def test_mnist_has_the_true_counts_and_labels():
    splits = tfds_images("mnist", DATA_DIR, train_split="train[:20%]", validation=1000)
    assert splits.info.counts == {"train": 11000, "validation": 1000, "test": 10000}
    assert splits.info.image_shape == (28, 28, 1) and splits.info.num_classes == 10
    assert np.bincount(splits.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    # The published mean of the training set is 0.1307, that of the test set 0.1325.
    assert abs(splits.test.images.mean() / 255 - 0.1325) < 5e-5
    assert splits.info.augment == ()


def test_customary_augmentation():
    assert USUAL["cifar10"].augment == USUAL["cifar100"].augment == (PadCrop(4, "zeros"), Flip())
    assert not {"mnist", "fashion_mnist", "svhn_cropped"} & set(USUAL)
