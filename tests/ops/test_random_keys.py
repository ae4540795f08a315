"""Noise belongs to an example: its row in the global batch, its seed, or its pixels."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.random import keys as random
from tfrobust.ops.random.keys import BatchKeys, ExampleKeys
from tfrobust.ops.random.squares import draw_squares, mix

SHAPE = (7, 3, 3, 1)


def draws(keys, shape):
    return [
        getattr(keys, name)(shape, dtype).numpy()
        for name in ("uniform", "normal")
        for dtype in (tf.float32, tf.float64)
    ]


@pytest.mark.parametrize("offset", [0, 1, 4, 6, 7])
def test_rows_of_a_replica_are_rows_of_the_whole(offset):
    seed = random.seed_pair(3)
    for given in (offset, tf.constant(offset)):
        part = BatchKeys(seed, given)
        for whole, rows in zip(
            draws(BatchKeys(seed), SHAPE), draws(part, (7 - offset, 3, 3, 1)), strict=True
        ):
            np.testing.assert_array_equal(rows, whole[offset:])


def test_fold_in_keeps_the_offset_and_changes_the_draw():
    keys = BatchKeys(random.seed_pair(3), 2)
    assert keys.fold_in(5).offset == 2
    folded = [keys.fold_in(number).uniform(SHAPE).numpy() for number in (0, 1, 0)]
    np.testing.assert_array_equal(folded[0], folded[2])
    assert np.abs(folded[0] - folded[1]).max() > 0.1
    assert np.abs(folded[0] - keys.uniform(SHAPE)).max() > 0.1


def test_distributions():
    keys = BatchKeys(random.seed_pair(11))
    uniform, normal = keys.uniform((100_000, 1)).numpy(), keys.normal((100_000, 1)).numpy()
    assert uniform.min() >= 0.0 and uniform.max() < 1.0
    # Four standard errors.
    assert abs(uniform.mean() - 0.5) < 4 * (1 / 12 / 1e5) ** 0.5
    assert abs(normal.mean()) < 4 * 1e-5**0.5
    assert abs(normal.var() - 1.0) < 4 * (2 / 1e5) ** 0.5


def test_example_keys_do_not_see_batch_or_order():
    seeds = np.arange(14).reshape(7, 2)
    order = [4, 0, 6]
    whole, some = ExampleKeys(tf.constant(seeds, tf.int32)), random.keys_of(seeds[order])
    for all_rows, rows in zip(
        draws(whole.fold_in(2), SHAPE), draws(some.fold_in(2), (3, 3, 3, 1)), strict=True
    ):
        np.testing.assert_array_equal(rows, all_rows[order])
    assert len(np.unique(whole.uniform(SHAPE)[:, 0, 0, 0])) == 7
    np.testing.assert_array_equal(whole.uniform((7,)).shape, (7,))


def squares(counter, key):
    """Widynski's generator, in Python's integers."""
    mask = 2**64 - 1
    y = counter * key & mask
    z = (y + key) & mask
    x = y
    for addend in (y, z, y):
        x = (x * x + addend) & mask
        x = (x >> 32 | x << 32) & mask
    return (x * x + z & mask) >> 32


def test_the_generator_is_the_published_one():
    counters, key = [0, 1, 7, 2**40 + 3], 0xC8E4FD154CE32F6D
    found = draw_squares(tf.constant(counters, tf.uint64), tf.constant(key, tf.uint64)).numpy()
    assert found.tolist() == [squares(c, key) for c in counters]
    # SplitMix64 of state 0 begins with this number.
    assert int(mix(tf.constant(0x9E3779B97F4A7C15, tf.uint64))) == 0xE220A8397B1DCDAF


def test_rows_of_neighbouring_seeds_are_independent():
    count, size = 40, 20_000
    seeds = np.stack([np.arange(count), np.full(count, 7)], axis=1).astype("int32")
    for folded in (ExampleKeys(tf.constant(seeds)).fold_in(3), ExampleKeys(tf.constant(seeds))):
        for rows in (
            folded.uniform((count, size)).numpy() - 0.5,
            folded.normal((count, size)).numpy(),
        ):
            correlations = np.corrcoef(rows)[np.triu_indices(count, 1)] * size**0.5
            assert abs(correlations.std() - 1) < 0.1 and np.abs(correlations).max() < 5
            serial = (rows[:, :-1] * rows[:, 1:]).mean(axis=1) / rows.var(axis=1) * size**0.5
            assert np.abs(serial).max() < 5 and abs(serial.mean()) < 4 * count**-0.5
            means = rows.mean(axis=1) / rows.std(axis=1) * size**0.5
            assert np.abs(means).max() < 5
        assert abs(folded.normal((count, size)).numpy().var() - 1) < 0.01
    one_each = ExampleKeys(tf.constant(seeds)).fold_in(tf.range(count))
    np.testing.assert_array_equal(
        one_each.seeds[5], ExampleKeys(tf.constant(seeds[5:6])).fold_in(5).seeds[0]
    )


def test_the_same_numbers_under_xla():
    keys = ExampleKeys(tf.constant([[1, 2], [3, 4]]))
    draw = tf.function(lambda: keys.fold_in(1).uniform((2, 50)), jit_compile=True)
    np.testing.assert_array_equal(draw(), keys.fold_in(1).uniform((2, 50)))


def test_content_keys_name_an_image_by_its_pixels():
    x = np.random.default_rng(0).random(SHAPE).astype("float32")
    x[5] = x[2]
    keys = random.content_keys(4, x).seeds.numpy()
    np.testing.assert_array_equal(random.content_keys(4, x[[6, 2]]).seeds, keys[[6, 2]])
    np.testing.assert_array_equal(keys[5], keys[2])
    assert len(np.unique(keys, axis=0)) == 6
    # One pixel by one unit in the last place, and two pixels swapped, are other images.
    moved = x.copy()
    moved[0, 0, 0, 0] = np.nextafter(moved[0, 0, 0, 0], 1)
    moved[1, 0, 0, 0], moved[1, 0, 1, 0] = x[1, 0, 1, 0], x[1, 0, 0, 0]
    others = random.content_keys(4, moved).seeds.numpy()
    assert (others != keys).any(axis=1).tolist() == [True, True] + [False] * 5
    assert (random.content_keys(5, x).seeds.numpy() != keys).any(axis=1).all()


def test_the_same_keys_in_a_graph_and_under_xla():
    keys = BatchKeys(random.seed_pair(3))
    for jit in (False, True):
        folded = tf.function(lambda: keys.fold_in(9).seed, jit_compile=jit)()
        np.testing.assert_array_equal(folded, keys.fold_in(9).seed)
    np.testing.assert_array_equal(tf.function(lambda: keys.normal(SHAPE))(), keys.normal(SHAPE))


def test_seed_pair_holds_62_bits():
    pairs = {tuple(random.seed_pair(s).numpy()) for s in (0, 1, 2**31, 2**31 - 1, 2**62 - 1)}
    assert len(pairs) == 5
    assert tuple(random.seed_pair(np.int64(5)).numpy()) == (5, 0)


@pytest.mark.parametrize("seed", [-1, 2**62, 1.5, True, np.zeros(3, int), np.zeros((2, 2))])
def test_what_is_no_seed(seed):
    with pytest.raises(UserError, match="`seed` must be a whole number"):
        random.keys_of(seed)


def test_keys_of_keeps_keys():
    for keys in (BatchKeys(random.seed_pair(1), 3), ExampleKeys(tf.zeros((4, 2), tf.int32))):
        assert random.keys_of(keys) is keys
    np.testing.assert_array_equal(random.keys_of(7).seed, random.seed_pair(7))


def test_without_a_seed_the_message_gives_one():
    with pytest.raises(UserError, match="give seed=0"):
        random.keys_of(None)


@pytest.mark.parametrize("seed", [0, 7, 2**31 + 5, 2**40 + 3])
def test_a_scalar_tensor_is_the_seed_of_its_number(seed):
    expected = random.keys_of(seed).seed.numpy()
    for given in (tf.constant(seed, tf.int64), tf.Variable(seed, dtype=tf.int64), np.array(seed)):
        np.testing.assert_array_equal(random.keys_of(given).seed.numpy(), expected)
    in_graph = tf.function(lambda number: random.keys_of(number).seed)
    np.testing.assert_array_equal(in_graph(tf.constant(seed, tf.int64)).numpy(), expected)
