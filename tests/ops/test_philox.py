"""Many seeds at once give the numbers of TensorFlow's generator, one seed a call."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.random.philox import draw_integers, draw_words

LIMITS = np.iinfo(np.int64)
RNG = np.random.default_rng(0)
SEEDS = np.concatenate(
    [
        [[0, 0], [-1, -1], [LIMITS.min, LIMITS.max], [LIMITS.max, LIMITS.min], [2**32, -(2**32)]],
        RNG.integers(-50, 50, (12, 2)),
        RNG.integers(LIMITS.min, LIMITS.max, (40, 2)),
    ]
)


@pytest.mark.parametrize("low, high", [(0, 2), (0, 9), (-7, 1000), (-(2**31), 2**31 - 1)])
def test_integers_are_tensorflows(low, high):
    # Nine words: more than two blocks of the generator.
    draw = tf.function(
        lambda seed: tf.random.stateless_uniform((9,), seed, low, high, tf.int32, alg="philox")
    )
    expected = np.stack([draw(tf.constant(seed)) for seed in SEEDS])
    np.testing.assert_array_equal(draw_integers(SEEDS, 9, low, high), expected)
    np.testing.assert_array_equal(draw_integers(SEEDS, 2, low, high), expected[:, :2])


def test_words_are_tensorflows():
    draw = tf.function(
        lambda seed: tf.random.stateless_uniform(
            (5,), seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
        )
    )
    expected = np.stack([draw(tf.constant(seed)) for seed in SEEDS])
    np.testing.assert_array_equal(draw_words(SEEDS, 5), expected)


def test_a_seed_has_its_numbers_in_any_batch_of_any_type():
    whole = draw_words(SEEDS, 3)
    np.testing.assert_array_equal(draw_words(SEEDS[7:8], 3), whole[7:8])
    np.testing.assert_array_equal(draw_words(SEEDS[5:17].astype(np.int8), 3), whole[5:17])
    assert draw_words(SEEDS[:0], 3).shape == (0, 3)


@pytest.mark.parametrize("seeds", [[1, 2], [[1.0, 2.0]], [[1, 2, 3]]], ids=repr)
def test_other_seeds_are_refused(seeds):
    with pytest.raises(UserError, match=r"`seeds` must be integers \(b, 2\)"):
        draw_words(seeds, 1)
