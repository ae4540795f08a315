"""Images that are read as they are needed give the bits of the same images in memory, anywhere in a run."""

import csv
import threading

import numpy as np
import pytest
from PIL import Image

from tfrobust import contract, data
from tfrobust.data.batches import TrainingBatches
from tfrobust.data.fingerprint import fingerprint
from tfrobust.errors import UserError

RNG = np.random.default_rng(0)
COUNT, BATCH, EPOCHS = 40, 4, 2


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Forty pictures of two classes and several sizes, lossless, as folders and as a list."""
    root = tmp_path_factory.mktemp("pictures")
    rows = []
    for number in range(COUNT):
        name = f"{'ab'[number % 2]}/{number:02}.png"
        (root / name).parent.mkdir(exist_ok=True)
        size = (9 + number % 3, 7 + number % 5, 3)
        Image.fromarray(RNG.integers(0, 256, size, np.uint8)).save(root / name)
        rows.append([name, "ab"[number % 2]])
    with open(root.parent / f"{root.name}.csv", "w", newline="") as file:
        csv.writer(file).writerows([["path", "label"], *([f"{root.name}/{n}", c] for n, c in rows)])
    for split in ("train", "test"):
        np.save(root.parent / f"x_{split}.npy", RNG.integers(0, 256, (COUNT, 6, 6, 3), np.uint8))
        np.save(root.parent / f"y_{split}.npy", np.arange(COUNT) % 2)
    return root


def folder(tree, **settings):
    return data.image_folder(tree, 6, validation=8, test=8, **settings)


def listed(tree, **settings):
    return data.image_list(f"{tree}.csv", 6, validation=8, test=8, **settings)


def mapped(tree, **settings):
    return data.npy(tree.parent, validation=8, **settings)


SOURCES = [folder, listed, mapped]


def batches(split, **settings):
    settings = {"seed": 3, "epochs": EPOCHS, "augment": (data.PadCrop(1), data.Flip())} | settings
    dataset = data.training_dataset(split, BATCH, **settings)
    return [(x.numpy(), y.numpy()) for x, y in dataset]


def assert_same(one, other):
    assert len(one) == len(other)
    for ours, theirs in zip(one, other, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


class Counting:
    """A reader that notes which positions were read."""

    def __init__(self, reader):
        self.reader, self.seen, self.lock = reader, [], threading.Lock()

    def __getattr__(self, name):
        return getattr(self.reader, name)

    def read(self, position, words):
        with self.lock:
            self.seen.append(position)
        return self.reader.read(position, words)


def count_reads(split):
    reader = Counting(split.reader)
    return data.StoredSplit(reader, split.ids, split.labels), reader.seen


@pytest.mark.parametrize("source", SOURCES)
def test_a_stored_split_has_the_bits_of_one_in_memory(tree, source):
    memory, stored = source(tree), source(tree, memory_limit_gib=0)
    for name in ("train", "validation", "test"):
        one, other = getattr(memory, name), getattr(stored, name)
        assert isinstance(one, data.Split) and isinstance(other, data.StoredSplit)
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.images, other.load().images)
        assert_same(data.evaluation_dataset(one, 7), data.evaluation_dataset(other, 7))
    assert memory.info.counts == stored.info.counts
    assert_same(batches(memory.train), batches(stored.train))


@pytest.mark.parametrize("mixing", [data.Mixup(), data.CutMix()])
def test_pictures_are_mixed_on_disk_as_in_memory(tree, mixing):
    """A partner is read from its own file, wherever it is, and with its own augmentation."""
    memory, stored = folder(tree).train, folder(tree, memory_limit_gib=0).train
    settings = {"augment": (data.PadCrop(1), data.Flip(), mixing), "num_classes": 2}
    mixed = batches(memory, **settings)
    assert_same(mixed, batches(stored, **settings))
    assert any((labels % 1 > 0).any() for _, labels in mixed)
    # As they are from any place on.
    rest = batches(stored, first_epoch=1, first_step=1, **settings)
    assert_same(mixed[-len(rest) :], rest)


def test_a_list_has_the_pictures_of_its_folder(tree):
    one, other = folder(tree), listed(tree)
    at = {tuple(image.ravel()) for image in np.concatenate([one.train.images, one.test.images])}
    assert one.info.class_names == other.info.class_names == ("a", "b")
    assert len(at & {tuple(image.ravel()) for image in other.train.images}) > 0
    for split in (one.train, other.train):
        assert len(split) == COUNT - 16


def test_every_place_can_be_resumed_at_and_only_what_follows_is_read(tree):
    split = folder(tree, memory_limit_gib=0).train
    whole, steps = batches(split), len(split) // BATCH
    for epoch, step in ((0, 0), (0, 4), (0, steps), (1, 2), (1, steps), (2, 0)):
        counted, seen = count_reads(split)
        assert_same(
            batches(counted, first_epoch=epoch, first_step=step), whole[epoch * steps + step :]
        )
        rest = TrainingBatches(split, BATCH, 3, EPOCHS, epoch, step)
        expected = [split.ids[places] for places, _ in rest]
        assert sorted(seen) == sorted(np.concatenate([*expected, np.zeros(0, int)]))


def test_nothing_is_read_before_the_first_batch(tree):
    counted, seen = count_reads(folder(tree, memory_limit_gib=0).train)
    dataset = data.training_dataset(counted, BATCH, seed=0, epochs=10**6, first_epoch=9 * 10**5)
    assert seen == []
    next(iter(dataset))
    assert len(seen) < 1000


def test_a_worker_reads_its_own_rows_of_each_batch_and_no_others(tree):
    split = folder(tree, memory_limit_gib=0).train
    whole, parts, read = batches(split), [], []
    for worker in range(2):
        counted, seen = count_reads(split)
        parts.append(batches(counted, part=(worker, 2)))
        read += seen
    joined = [
        tuple(map(np.concatenate, zip(*pair, strict=True))) for pair in zip(*parts, strict=True)
    ]
    assert_same(joined, whole)
    assert len(read) == EPOCHS * (len(split) // BATCH) * BATCH
    with pytest.raises(UserError, match="`batch_size`=4 cannot be cut into 3 equal parts"):
        batches(split, part=(0, 3))
    with pytest.raises(UserError, match=r"must be \(i, n\) with 0 <= i < n"):
        batches(split, part=(2, 2))


def test_the_fingerprint_names_names_sizes_and_bytes(tree, tmp_path):
    for c in "ab":
        (tmp_path / "t" / c).mkdir(parents=True)
        for n in range(10):
            (tmp_path / "t" / c / f"{n}.png").write_bytes((tree / "a" / "00.png").read_bytes())

    def marks():
        return fingerprint(folder(tmp_path / "t", memory_limit_gib=0))

    before = marks()
    assert marks() == before
    file = tmp_path / "t" / "a" / "3.png"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert sum(before[name] != mark for name, mark in marks().items()) == 1
    file.write_bytes(content)
    file.rename(file.with_name("renamed.png"))
    assert marks() != before


def test_a_picture_that_cannot_be_read_is_named_when_it_is(tree, tmp_path):
    for c in "ab":
        (tmp_path / c).mkdir()
        for n in range(10):
            (tmp_path / c / f"{n}.png").write_bytes((tree / "a" / "00.png").read_bytes())
    (tmp_path / "b" / "7.png").write_bytes(b"no picture")
    splits = folder(tmp_path, memory_limit_gib=0)
    with pytest.raises(UserError, match=r"/b/7\.png cannot be read as an image"):
        for name in ("train", "validation", "test"):
            getattr(splits, name).load()
    with pytest.raises(UserError, match=r"^/.*/b/7\.png cannot be read.*or remove it\.$"):
        with contract.as_user_error():
            for name in ("train", "validation", "test"):
                list(data.evaluation_dataset(getattr(splits, name), 3))
