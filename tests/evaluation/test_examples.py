"""Examples by name, from files, in shards; and what cannot be examples."""

import numpy as np
import pytest

from tfrobust import data
from tfrobust.errors import UserError
from tfrobust.evaluation.examples import Examples, load_examples

GENERATOR = np.random.default_rng(0)
X, Y = GENERATOR.random((7, 4, 5, 1), np.float32), np.arange(7) % 3


def test_bytes_become_pixels_and_rounding_is_forgiven():
    integers = Examples.of((X * 255).astype("uint8"), Y)
    assert integers.x.dtype == np.float32 and integers.x.max() <= 1
    np.testing.assert_array_equal(np.round(integers.x * 255), (X * 255).astype("uint8"))
    slack = Examples.of(np.where(X > 0.5, np.float32(1 + 3e-7), np.float32(-3e-8)), Y)
    assert slack.x.min() == 0 and slack.x.max() == 1
    np.testing.assert_array_equal(integers.ids, np.arange(7))


def test_shards_are_disjoint_and_complete():
    examples = Examples.of(X, Y, np.arange(7) + 100)
    parts = [examples.shard(index, 3) for index in range(3)]
    assert sorted(np.concatenate([part.ids for part in parts])) == list(range(100, 107))
    np.testing.assert_array_equal(parts[1].x, X[[1, 4]])
    np.testing.assert_array_equal(examples.first(2).y, Y[:2])
    for index, count in ((3, 3), (-1, 2), (8, 9)):
        with pytest.raises(UserError, match="shard"):
            examples.shard(index, count)


@pytest.mark.parametrize("keys", [("x_test", "y_test"), ("images", "labels")])
def test_files(tmp_path, keys):
    np.savez(tmp_path / "some.npz", **dict(zip(keys, (X, Y), strict=True)))
    loaded = load_examples(str(tmp_path / "some.npz"))
    np.testing.assert_array_equal(loaded.x, X)
    assert loaded.name == "some.npz test"
    if keys[0] == "x_test":
        with pytest.raises(UserError, match="'x_train' and 'y_train'"):
            load_examples(tmp_path / "some.npz", "train")
    (tmp_path / "broken.npz").write_text("?")
    with pytest.raises(UserError, match="be read as .npz"):
        load_examples(tmp_path / "broken.npz")


def test_the_digits():
    splits = data.digits()
    for given in ("digits", splits):
        loaded = load_examples(given, "validation")
        np.testing.assert_array_equal(loaded.y, splits.validation.labels)
        assert loaded.name == "digits validation"
    with pytest.raises(UserError, match="split"):
        load_examples("digits", "all")


@pytest.mark.parametrize(
    ("images", "labels", "ids", "told"),
    [
        (X * 255, Y, None, "Divide by 255"),
        (X - 0.5, Y, None, "normalisation"),
        (np.where(X > 0.5, np.nan, X), Y, None, "finite"),
        (X, Y + 0.5, None, "integers"),
        (X, np.eye(3)[Y], None, "one-hot"),
        (X, Y[:6], None, "one for each image"),
        (X[:0], Y[:0], None, "empty"),
        (X[..., 0], Y, None, "Add the channel"),
        (X, Y, np.zeros(7, int), "different"),
    ],
)
def test_what_cannot_be_examples(images, labels, ids, told):
    with pytest.raises(UserError, match=told):
        Examples.of(images, labels, ids)
