"""What names a data set: every pixel, label and id of a small one, every n-th image of a large one."""

import numpy as np
import pytest

from tfrobust import data
from tfrobust.data.fingerprint import fingerprint


def splits(change=None, dtype=np.uint8):
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 2, (12, 2, 2, 1)).astype(dtype), np.arange(12) % 3]
    parts += [rng.integers(0, 2, (6, 2, 2, 1)).astype(dtype), np.arange(6) % 3]
    if change is not None:
        change(parts)
    train, test = data.Split(*parts[:2]), data.Split(*parts[2:])
    info = data.DatasetInfo("x", 3, ("a", "b", "c"), (2, 2, 1), {})
    return data.Splits(train.take(np.arange(9)), train.take(np.arange(9, 12)), test, info)


def changed(place, number):
    def change(parts):
        array = parts[place].copy()
        array[number] = (array[number] + 1) % 2
        parts[place] = array

    return change


@pytest.mark.parametrize(
    ("place", "number", "split"),
    [
        (0, 8, "train"),
        (1, 0, "train"),
        (0, 11, "validation"),
        (2, (5, 1, 1, 0), "test"),
        (3, 5, "test"),
    ],
)
def test_a_changed_value_changes_its_split_s_and_no_other(place, number, split):
    ours, theirs = fingerprint(splits()), fingerprint(splits(changed(place, number)))
    assert {name for name in ours if ours[name] != theirs[name]} == {split}
    assert fingerprint(splits()) == ours


def test_type_and_order_count():
    assert fingerprint(splits(dtype=np.float32)) != fingerprint(splits())
    assert fingerprint(splits(lambda parts: parts.__setitem__(0, parts[0][::-1]))) != fingerprint(
        splits()
    )


def test_of_a_large_split_every_nth_image_is_read():
    # 9 images of 4 bytes, up to 16: every third.
    whole = fingerprint(splits(), limit=16)["train"]
    for number in range(9):
        differs = fingerprint(splits(changed(0, number)), limit=16)["train"] != whole
        assert differs == (number % 3 == 0)


def test_a_source_reads_the_same_again(tmp_path):
    x, y = np.arange(24 * 4, dtype=np.uint8).reshape(24, 2, 2, 1), np.arange(24) % 3
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    read = data.npz(tmp_path / "a.npz", validation=np.int64(6), validation_seed=2)
    again = data.sources.load.load_source(read.info.source)
    assert again.info == read.info and fingerprint(again) == fingerprint(read)
    assert data.arrays(x, y, x, y).info.source is None
