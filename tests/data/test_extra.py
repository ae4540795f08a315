"""Batches of original and extra images: how many of each, in which order, and what does not change."""

import numpy as np
import pytest

from tfrobust import data
from tfrobust.errors import UserError

OWN, EXTRA, BATCH, STEPS = 26, 40, 10, 2
IMAGES = np.arange(OWN + EXTRA, dtype=np.uint8)[:, None, None, None] * np.ones(
    (1, 4, 4, 1), np.uint8
)
LABELS = np.arange(OWN + EXTRA) % 3


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("extra") / "extra.npz"
    np.savez(file, image=IMAGES[OWN:], label=LABELS[OWN:])
    return file


def own():
    pair = (IMAGES[:3], LABELS[:3])
    return data.arrays(IMAGES[:OWN], LABELS[:OWN], *pair, validation=pair)


def mixed(path, fraction=0.7):
    return data.with_extra(own, path, fraction)


def pixels(split, **settings):
    settings = {"seed": 3, "epochs": 40} | settings
    batches = data.training_dataset(split, BATCH, **settings)
    return np.array([np.rint(x.numpy()[:, 0, 0, 0] * 255) for x, _ in batches], int)


def test_shares_of_a_batch_and_steps_of_an_epoch(path):
    split = mixed(path).train
    found = pixels(split)
    assert data.steps_per_epoch(split, BATCH) == OWN // BATCH == STEPS
    assert found.shape == (40 * STEPS, BATCH)
    np.testing.assert_array_equal((found >= OWN).sum(1), 7)
    # The own ones of an epoch are drawn without replacement, and all have their turn.
    for epoch in found.reshape(40, -1):
        seen = epoch[epoch < OWN]
        assert len(set(seen)) == len(seen) == 6
    assert set(found.ravel()) == set(range(OWN + EXTRA))
    # Chi square of 39 degrees of freedom, one in a million: 560 draws of 40 images.
    counts = np.bincount(found[found >= OWN] - OWN, minlength=EXTRA)
    assert ((counts - 14.0) ** 2 / 14.0).sum() < 92
    # Both halves of a batch, as of two replicas, are mixed.
    first = (found[:, :5] >= OWN).sum(1)
    assert 3.0 < first.mean() < 4.0 and first.std() > 0.5


def test_labels_and_pixels_stay_together_and_a_run_goes_on_where_it_stopped(path):
    split = mixed(path).train
    whole = list(data.training_dataset(split, BATCH, seed=1, epochs=2))
    for x, y in whole:
        np.testing.assert_array_equal(np.rint(x.numpy()[:, 0, 0, 0] * 255).astype(int) % 3, y)
    rest = data.training_dataset(split, BATCH, seed=1, epochs=2, first_epoch=1, first_step=1)
    for (x, y), (u, v) in zip(whole[3:], rest, strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)


@pytest.mark.parametrize("fraction, batch, extra", [(0.7, 1024, 716), (0.29, 100, 29), (0.5, 3, 1)])
def test_the_share_is_rounded_down_to_whole_images(fraction, batch, extra):
    images = np.zeros((5000, 1, 1, 1), np.uint8)
    split = data.MixedSplit(images, np.zeros(5000, int), own=3000, fraction=fraction)
    places = split.draw_batches(0, 0, batch)
    np.testing.assert_array_equal((places >= 3000).sum(1), extra)


def test_the_rest_of_the_data_set_stays(path):
    splits, alone = mixed(path), own()
    np.testing.assert_array_equal(splits.train.images[:OWN], alone.train.images)
    np.testing.assert_array_equal(splits.test.images, alone.test.images)
    assert splits.info.counts == {**alone.info.counts, "extra": EXTRA}
    assert splits.info.source == alone.info.source
    assert len(set(splits.train.ids)) == OWN + EXTRA


def test_an_order_without_extra_images_is_what_it_was():
    split = own().train
    expected = data.order.draw_permutation(OWN, 3, 0)[: STEPS * BATCH].reshape(STEPS, BATCH)
    np.testing.assert_array_equal(split.draw_batches(3, 0, BATCH), expected)


BAD = {
    "no file": (None, "does not exist"),
    "an array": (lambda f: np.save(f, IMAGES), "one array without keys"),
    "other keys": (lambda f: np.savez(f, x=IMAGES, y=LABELS), "'image', 'label'. are required"),
    "no images": (lambda f: f.write(b"PK nothing"), "cannot be read"),
    "another size": (lambda f: np.savez(f, image=IMAGES[:, :2], label=LABELS), "must be the same"),
    "floats": (lambda f: np.savez(f, image=IMAGES / 255.0, label=LABELS), "must be the same"),
    "a label too many": (
        lambda f: np.savez(f, image=IMAGES[1:], label=LABELS),
        "exactly one label",
    ),
    "no such class": (lambda f: np.savez(f, image=IMAGES, label=LABELS + 1), "label"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_does_not_fit_is_refused(kind, tmp_path):
    write, message = BAD[kind]
    if write:
        with open(tmp_path / "extra.npz", "wb") as file:
            write(file)
    with pytest.raises(UserError, match=message):
        mixed(tmp_path / "extra.npz")


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, "0.5", True, None, float("nan")])
def test_an_invalid_fraction_is_refused(fraction, path):
    with pytest.raises(UserError, match="fraction"):
        mixed(path, fraction)


def test_a_batch_that_is_too_small_to_mix_is_refused(path):
    split = mixed(path, 0.1).train
    with pytest.raises(UserError, match="cannot be mixed"):
        data.training_dataset(split, 5, seed=0, epochs=1)
    with pytest.raises(UserError, match="function"):
        data.with_extra(own(), path)
