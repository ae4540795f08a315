"""Stratified cutting: counts in closed form, and a choice that depends on nothing else."""

import fractions

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrobust.data import DatasetInfo, Split, Splits, digits, hold_out
from tfrobust.errors import UserError


def split_of(labels):
    labels = np.asarray(labels)
    return Split(np.zeros((len(labels), 2, 2, 1), np.uint8), labels)


def test_shares_are_those_of_the_largest_remainder():
    split = split_of(np.repeat([0, 1, 2], [50, 33, 17]))
    rest, held = hold_out(split, 10, 0)
    # Exact shares 5.0, 3.3, 1.7.
    assert np.bincount(held.labels).tolist() == [5, 3, 2]
    assert np.bincount(rest.labels).tolist() == [45, 30, 15]


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(2, 40), min_size=1, max_size=6),
    part=st.fractions(fractions.Fraction(1, 20), fractions.Fraction(1, 2)),
    seed=st.integers(0, 2**62 - 1),
)
def test_a_partition_with_every_class_within_one_of_its_share(sizes, part, seed):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    count = max(1, int(part * len(labels)))
    rest, held = hold_out(split_of(labels), count, seed)
    assert len(held) == count
    assert sorted([*rest.ids, *held.ids]) == list(range(len(labels)))
    for part_split in (rest, held):
        assert (np.diff(part_split.ids) > 0).all()
        np.testing.assert_array_equal(labels[part_split.ids], part_split.labels)
    counts = np.bincount(held.labels, minlength=len(sizes))
    shares = count * np.array(sizes) / len(labels)
    assert (np.abs(counts - shares) < 1 + 1e-9).all()
    assert np.bincount(rest.labels, minlength=len(sizes)).all()


def test_the_choice_depends_on_the_seed_and_is_uniform():
    split = split_of(np.zeros(20, int))
    chosen = np.stack([np.isin(split.ids, hold_out(split, 5, seed)[1].ids) for seed in range(800)])
    np.testing.assert_array_equal(hold_out(split, 5, 7)[1].ids, np.flatnonzero(chosen[7]))
    # Each example is held out with probability 1/4: five standard deviations of the mean.
    assert np.abs(chosen.mean(axis=0) - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 800)


def test_a_choice_never_changes():
    assert hold_out(split_of(np.arange(20) % 2), 6, 3)[1].ids.tolist() == [0, 4, 9, 11, 12, 19]


def test_a_fraction_is_a_rounded_count():
    split = split_of(np.arange(30) % 3)
    np.testing.assert_array_equal(hold_out(split, 0.2, 1)[1].ids, hold_out(split, 6, 1)[1].ids)


@pytest.mark.parametrize("size", [0, 4, -1, 1.5, True, None, "3", float("nan")], ids=repr)
def test_an_impossible_size_is_refused(size):
    with pytest.raises(UserError, match="`validation` must be a count from 1 to 3, or a fraction"):
        hold_out(split_of([0, 0, 1, 1]), size, 0)


@pytest.mark.parametrize("seed", [-1, 0.5, True, 2**62], ids=repr)
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(UserError, match="`validation_seed` must be a whole number"):
        hold_out(split_of([0, 0, 1, 1]), 2, seed)


def test_no_class_is_emptied():
    with pytest.raises(UserError, match="would leave a class without any: at most 0 fit"):
        hold_out(split_of([0, 1, 2, 3]), 1, 0)


def test_digits_are_cut_1077_360_360():
    splits = digits()
    assert splits.info.counts == {"train": 1077, "validation": 360, "test": 360}
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [1077, 360, 360]
    ids = [s.ids for s in (splits.train, splits.validation, splits.test)]
    assert sorted(np.concatenate(ids)) == list(range(1797))
    whole = np.bincount(
        np.concatenate([splits.train.labels, splits.validation.labels, splits.test.labels])
    )
    for split in (splits.validation, splits.test):
        assert np.abs(np.bincount(split.labels) - whole * 360 / 1797).max() < 1.3


def test_digits_are_exact_sixteenths():
    from sklearn.datasets import load_digits

    test = digits().test
    assert test.images.dtype == np.float32 and test.image_shape == (8, 8, 1)
    np.testing.assert_array_equal(test.images[..., 0] * 16, load_digits().images[test.ids])
    np.testing.assert_array_equal(test.labels, load_digits().target[test.ids])


def test_digits_are_tested_on_the_same_images_whatever_is_held_out():
    one, other = digits(), digits(validation=0.1, validation_seed=5)
    np.testing.assert_array_equal(one.test.ids, other.test.ids)
    assert len(other.validation) == 144 and set(other.validation.ids) != set(one.validation.ids)


INFO = DatasetInfo("toy", 2, ("a", "b"), (2, 2, 1), {})


def test_a_class_without_training_example_is_refused():
    with pytest.raises(UserError, match=r"Class 1 of 2 \('b'\) has no training example"):
        Splits(split_of([0, 0]), split_of([1]), split_of([0]), INFO)


def test_a_label_out_of_range_is_refused():
    with pytest.raises(UserError, match=r"`test labels`\[1\] is 2: labels must be from 0 to 1"):
        Splits(split_of([0, 1]), split_of([1]), split_of([0, 2]), INFO)


def test_splits_of_different_shapes_are_refused():
    other = Split(np.zeros((1, 3, 2, 1), np.uint8), np.array([0]))
    with pytest.raises(UserError, match=r"test split have shape \(3, 2, 1\).*\(2, 2, 1\)"):
        Splits(split_of([0, 1]), split_of([1]), other, INFO)
