"""What users' arrays and .npz files must be: each fault names its first offender."""

import os

import numpy as np
import pytest

from tfrobust.data import Split, arrays, npz
from tfrobust.errors import UserError
from tfrobust.evaluation import load_examples


@pytest.fixture
def good():
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.random((20, 4, 5, 3), np.float32),
        "y_train": np.arange(20) % 4,
        "x_test": rng.random((8, 4, 5, 3), np.float32),
        "y_test": np.arange(8) % 4,
    }


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


FAULTS = {
    "nan": ("x_train", lambda a: changed(a, (7, 1, 2, 0), np.nan),
            r"`x_train`\[7\] holds nan at pixel \(1, 2, 0\).*finite.*Repair"),
    "infinity": ("x_test", lambda a: changed(a, (3, 0, 0, 0), np.inf), r"`x_test`\[3\] holds inf"),
    "bytes as float": ("x_train", lambda a: a * 255, r"`x_train`\[0\] holds .*Divide by 255"),
    "just above": ("x_train", lambda a: changed(a, (2, 0, 0, 0), 1.001), r"`x_train`\[2\] holds 1.001"),
    "normalised": ("x_train", lambda a: a * 2 - 1, r"in \[0, 1\].*Undo.*input_range=\(-1, 1\)"),
    "integers": ("x_train", lambda a: a.astype(int), r"`x_train` must be uint8.*int64.*astype\(\"uint8\"\)"),
    "wide integers": ("x_train", lambda a: (a * 65535).astype(np.uint16), "uint16.*larger values by .*65535"),
    "black and white": ("x_train", lambda a: a > 0.5, r"dtype bool.*astype\(\"float32\"\)"),
    "no channel": ("x_train", lambda a: a[..., 0], r"shape \(20, 4, 5\).*x_train\[\.\.\., None\]"),
    "flat": ("x_train", lambda a: a.reshape(20, -1), r"`x_train` has shape \(20, 60\).*Reshape"),
    "channels first": ("x_train", lambda a: np.zeros((20, 3, 8, 8), np.uint8), "channels first"),
    "no images": ("x_test", lambda a: a[:0], r"`x_test` is empty"),
    "other size": ("x_test", lambda a: a[:, :3], r"test split have shape \(3, 5, 3\).*\(4, 5, 3\)"),
    "fewer labels": ("y_train", lambda a: a[:-1], "`x_train` has 20 images and `y_train` has 19 labels"),
    "negative label": ("y_train", lambda a: changed(a, 5, -1), r"`y_train`\[5\] is -1: .*not be negative"),
    "float label": ("y_train", lambda a: a + 0.5, r"`y_train` has dtype float64, y_train\[0\] is 0.5"),
    "names": ("y_train", lambda a: np.array(["cat", "dog", "eel", "fox"])[a], "is cat.*numpy.unique"),
    "one-hot": ("y_train", lambda a: np.eye(4, dtype=int)[a], r"`y_train` has shape \(20, 4\).*argmax"),
    "column": ("y_train", lambda a: a[:, None], r"`y_train` has shape \(20, 1\).*Reshape it to \(20,\)"),
    "unknown class": ("y_test", lambda a: changed(a, 6, 4), r"`test labels`\[6\] is 4: .*from 0 to 3"),
    "gap": ("y_train", lambda a: np.where(a == 2, 3, a), r"Class 2 of 4 \('2'\) has no training example"),
    "one class": ("y_train", lambda a: a * 0, "There is only one class, and the largest label is 0"),
    "sparse": ("y_train", lambda a: a * 10**9, "There are 3000000001 classes and 20 training examples"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(good, fault):
    key, spoil, message = FAULTS[fault]
    good[key] = spoil(good[key])
    with pytest.raises(UserError, match=message) as caught:
        arrays(**good)
    assert "\n" not in str(caught.value)


def test_a_label_beyond_num_classes_is_named(good):
    with pytest.raises(UserError, match=r"`y_train`\[3\] is 3: labels must be from 0 to 2"):
        arrays(**good, num_classes=3)


def test_a_class_that_num_classes_promises_must_exist(good):
    with pytest.raises(UserError, match="Class 4 of 5"):
        arrays(**good, num_classes=5)


def test_the_number_of_class_names_must_fit(good):
    with pytest.raises(UserError, match="`class_names` has 3 names for 4 classes"):
        arrays(**good, num_classes=4, class_names=["a", "b", "c"])


def test_ids_and_labels_must_fit_the_images():
    x = np.zeros((3, 2, 2, 1), np.uint8)
    with pytest.raises(UserError, match="3 images and 2 ids"):
        Split(x, np.zeros(3, int), np.arange(2))
    with pytest.raises(UserError, match="3 images and 4 labels"):
        Split(x, np.zeros(4, int))
    with pytest.raises(UserError, match="`ids` must be one integer .*dtype float64"):
        Split(x, np.zeros(3, int), np.zeros(3))


def test_bounds_themselves_are_accepted(good):
    good["x_train"] = changed(changed(good["x_train"], 0, 0.0), 1, 1.0)
    assert len(arrays(**good).train) == 18


def test_types_are_brought_to_uint8_or_float32(good):
    good["x_train"] = good["x_train"].astype(np.float64)
    good["x_test"] = np.full((8, 4, 5, 3), 255, np.uint8)
    good["y_train"] = good["y_train"].astype(np.uint8)
    splits = arrays(**good)
    assert splits.train.images.dtype == np.float32
    assert splits.test.images.dtype == np.uint8
    assert splits.train.labels.dtype == np.int64


def test_validation_comes_from_training_examples_only(good):
    splits = arrays(**good, validation=8, validation_seed=1)
    np.testing.assert_array_equal(splits.test.images, good["x_test"])
    together = np.concatenate([splits.train.ids, splits.validation.ids])
    assert sorted(together) == list(range(20))
    for split in (splits.train, splits.validation):
        np.testing.assert_array_equal(split.images, good["x_train"][split.ids])
        np.testing.assert_array_equal(split.labels, good["y_train"][split.ids])
    assert np.bincount(splits.validation.labels).tolist() == [2, 2, 2, 2]
    assert splits.info.counts == {"train": 12, "validation": 8, "test": 8}


def test_validation_can_be_given(good):
    splits = arrays(**good, validation=(good["x_test"][:3], good["y_test"][:3]))
    assert splits.info.counts == {"train": 20, "validation": 3, "test": 8}
    with pytest.raises(UserError, match="`validation` has 1 entries"):
        arrays(**good, validation=(good["x_test"],))


def test_npz_equals_arrays(good, tmp_path):
    np.savez(tmp_path / "a.npz", **good, class_names=list("abcd"))
    read, direct = npz(tmp_path / "a.npz"), arrays(**good)
    for split in ("train", "validation", "test"):
        one, other = getattr(read, split), getattr(direct, split)
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.ids, other.ids)
    assert read.info.class_names == ("a", "b", "c", "d")
    assert direct.info.class_names == ("0", "1", "2", "3")


def test_npz_uses_its_own_validation(good, tmp_path):
    pair = {"x_validation": good["x_test"], "y_validation": good["y_test"]}
    np.savez(tmp_path / "a.npz", **good, **pair)
    assert npz(tmp_path / "a.npz").info.counts == {"train": 20, "validation": 8, "test": 8}


def test_npz_faults_are_named(good, tmp_path):
    file = tmp_path / "a.npz"
    with pytest.raises(UserError, match="cannot be read as .npz: it does not exist"):
        npz(file)
    file.write_bytes(b"no zip")
    with pytest.raises(UserError, match="cannot be read as .npz"):
        npz(file)
    np.savez(file, x_train=good["x_train"])
    with pytest.raises(UserError, match=r"has the keys \['x_train'\]: .* are required"):
        npz(file)
    np.savez(file, **good, x_val=good["x_test"])
    with pytest.raises(UserError, match="Rename or remove the others"):
        npz(file)
    np.savez(file, **good, x_validation=good["x_test"])
    with pytest.raises(UserError, match=r"\(both\)"):
        npz(file)
    np.save(tmp_path / "a.npy", good["x_train"])
    with pytest.raises(UserError, match="one array without keys"):
        npz(tmp_path / "a.npy")
    np.savez(file, **{**good, "y_train": np.array(["a"] * 20, object)})
    with pytest.raises(
        UserError,
        match="cannot be read as .npz: it is a file of another kind, or contains Python objects",
    ):
        npz(file)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    for read in (npz, load_examples):
        with pytest.raises(UserError, match="not a regular file"):
            read(tmp_path / "a.npz")
