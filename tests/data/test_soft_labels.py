"""Mixup, CutMix and label smoothing: images and labels that depend on seed, epoch and example only."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfrobust import data
from tfrobust.data.augmentation.soft_labels import draw_uniform
from tfrobust.errors import UserError

# Each pixel of image i is i / 255, and its label i.
COUNT = 24
IMAGES = np.ones((COUNT, 6, 5, 1), np.uint8) * np.arange(COUNT, dtype=np.uint8)[:, None, None, None]
SPLIT = data.Split(IMAGES, np.arange(COUNT), ids=np.arange(COUNT) * 7 + 3)
SEEDS = np.stack([np.full(4000, 11), np.arange(4000)], axis=1)


def read(*augment, split=SPLIT, batch_size=4, **options):
    options = {"seed": 1, "epochs": 2, "num_classes": COUNT, **options}
    dataset = data.training_dataset(split, batch_size, augment=augment, **options)
    return [np.concatenate(parts) for parts in zip(*dataset.as_numpy_iterator(), strict=True)]


@pytest.mark.parametrize("mixing", [data.Mixup(0.5), data.CutMix(), data.CutMix(probability=0.5)])
def test_images_and_labels_are_mixed_by_the_same_shares(mixing):
    """Whole images of one value each: the mean of the label is that of the image."""
    images, labels = read(mixing)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(
        255 * images.mean(axis=(1, 2, 3)), labels @ np.arange(COUNT), atol=1e-3
    )
    assert (np.count_nonzero(labels, axis=1) <= 2).all()
    assert (np.count_nonzero(labels, axis=1) == 2).mean() > 0.3
    (order,) = read(split=data.Split(IMAGES, np.arange(COUNT), ids=SPLIT.ids))[1:]
    # Every example has its own share in its own place.
    if mixing.probability == 1.0:
        partners = labels.copy()
        own = partners[np.arange(len(order)), order].copy()
        partners[np.arange(len(order)), order] = 0.0
        assert (own > 0.0).mean() > 0.9
        others = partners.argmax(axis=1)[partners.max(axis=1) > 0]
        assert len(set(others)) > COUNT / 2


@pytest.mark.parametrize("mixing", [data.Mixup(), data.CutMix()])
def test_neither_batch_size_nor_workers_nor_resumption_change_a_row(mixing):
    rows = np.arange(COUNT * 40, dtype=np.uint8).reshape(COUNT, 8, 5, 1)
    split = data.Split(rows, np.arange(COUNT) % 3)
    augment = (data.PadCrop(2), data.Flip(), lambda image, seed: image**2, mixing)
    options = {"split": split, "num_classes": 3}
    whole = read(*augment, **options)
    assert whole[0].shape == (2 * COUNT, 8, 5, 1) and whole[1].shape == (2 * COUNT, 3)
    for other in (
        read(*augment, batch_size=12, **options),
        [
            np.concatenate(halves)
            for halves in zip(
                read(*augment, first_epoch=0, epochs=1, **options),
                read(*augment, first_epoch=1, **options),
                strict=True,
            )
        ],
    ):
        for one, two in zip(whole, other, strict=True):
            np.testing.assert_array_equal(one, two)
    left = read(*augment, first_epoch=1, first_step=2, **options)
    halves = [read(*augment, part=(i, 2), **options) for i in range(2)]
    for place, one in enumerate(whole):
        np.testing.assert_array_equal(left[place], one[COUNT + 8 :])
        two = [half[place].reshape(-1, 2, *one.shape[1:]) for half in halves]
        np.testing.assert_array_equal(np.concatenate(two, axis=1).reshape(one.shape), one)
    # Another seed, another run.
    assert not np.array_equal(read(*augment, seed=2, **options)[1], whole[1])


def test_a_partner_is_augmented_as_in_its_own_place():
    """Columns 0 and 1: a flipped partner gives its mirror image, and only if it is flipped itself."""
    images = np.zeros((COUNT, 1, 2, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(COUNT)
    split = data.Split(images, np.arange(COUNT))
    plain, order = read(data.Flip(), split=split)
    flipped = {(i // COUNT, n): plain[i, 0, 0, 0] == 0 for i, n in enumerate(order) if n}
    mixed, labels = read(data.Flip(), data.Mixup(), split=split)
    for i, row in enumerate(labels):
        wanted = np.zeros(2)
        for n in np.flatnonzero(row):
            if n:
                wanted[int(flipped.get((i // COUNT, n), False))] += row[n] * n
        np.testing.assert_allclose(255 * mixed[i, 0, :, 0], wanted, atol=1e-3)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_have_their_distribution(alpha):
    shares = data.Mixup(alpha).draw(draw_uniform(SEEDS, 4), (6, 5, 1))[:, 0]
    assert scipy.stats.kstest(shares, scipy.stats.beta(alpha, alpha).cdf).pvalue > 0.01
    some = data.Mixup(alpha, probability=0.25).draw(draw_uniform(SEEDS, 4), (6, 5, 1))[:, 0]
    assert abs((some < 1).mean() - 0.25) < 0.03
    assert scipy.stats.kstest(draw_uniform(SEEDS, 1)[:, 0], "uniform").pvalue > 0.01


def test_a_cut_has_the_area_that_was_drawn_but_for_the_borders():
    draws = draw_uniform(SEEDS, 4)
    shares = data.CutMix().draw_shares(draws[:, :2])
    drawn = data.CutMix().draw(draws, (640, 640, 3))
    inside = (drawn[:, :2] > 0).all(axis=1) & (drawn[:, 2:] < 640).all(axis=1)
    assert 0.1 < inside.mean() < 0.5
    area = (drawn[:, 2:] - drawn[:, :2]).prod(axis=1) / 640**2
    np.testing.assert_allclose(area[inside], 1.0 - shares[inside], atol=4e-3)
    assert (area[~inside] <= 1.0 - shares[~inside] + 1e-6).all() and (area >= 0).all()


def test_smoothing_commutes_with_mixing():
    images, smoothed = read(data.LabelSmoothing(0.2), data.Mixup())
    same, labels = read(data.Mixup())
    np.testing.assert_array_equal(images, same)
    np.testing.assert_allclose(smoothed, 0.8 * labels + 0.2 / (COUNT - 1) * (1 - labels), atol=1e-6)
    alone = read(data.LabelSmoothing(0.2))[1]
    np.testing.assert_allclose(alone.max(axis=1), 0.8, rtol=1e-6)
    # As the setting of that name of a method.
    from tfrobust.losses import Bregman

    y, logits = tf.constant([1, 0]), tf.constant([[1.0, 2.0, -1.0], [0.0, 3.0, 1.0]])
    soft = data.LabelSmoothing(0.2)(y, num_classes=3)
    found = Bregman().from_label(soft, logits)
    np.testing.assert_allclose(found, Bregman().from_label(y, logits, 0.2), rtol=1e-5)


def test_what_cannot_be_mixed():
    for augment in (
        (data.Mixup(), data.Flip()),
        (data.Mixup(), data.CutMix()),
        (data.LabelSmoothing(), data.LabelSmoothing()),
    ):
        with pytest.raises(UserError, match="`augment` ends with what makes soft labels"):
            read(*augment)
    with pytest.raises(UserError, match="give `num_classes`, such as splits.info.num_classes"):
        read(data.Mixup(), num_classes=None)
    for make in (lambda: data.Mixup(0), lambda: data.CutMix(1.0, 1.5)):
        with pytest.raises(UserError, match="`alpha`|`probability`"):
            make()
    with pytest.raises(UserError, match="label_smoothing"):
        data.LabelSmoothing(1.0)
