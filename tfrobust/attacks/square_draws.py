"""Sides, places and colours of the Square attack's squares, from random words."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Booleans in one integer, whose sign stays free.
_BITS = 62


class Proposal(NamedTuple):
    """What rows ask next.

    Attributes:
        image: (b, h, w, c).
        found: whether there is something to ask, (b,).
        index: number of the query, or of the one to go on from where nothing is found, int32 (b,).
        memory: what the row remembers, before the answer.
    """

    image: tf.Tensor
    found: tf.Tensor
    index: tf.Tensor
    memory: dict


def compute_sides(shares: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sides of the squares, int (queries,): round(sqrt(share h w)), half to even, at least 1."""
    sides = np.rint(np.sqrt(shares * height * width)).astype(np.int32)
    return np.clip(sides, 1, min(height, width))


def make_channel_bits(channels: int) -> tf.Tensor:
    """One bit for each channel, int32 (channels,)."""
    return tf.constant(2 ** np.arange(channels), tf.int32)


def pack_flags(flags: tf.Tensor) -> tf.Tensor:
    """Booleans (..., n) as the bits of integers, int64 (..., ceil(n / 62))."""
    chunks = [flags[..., at : at + _BITS] for at in range(0, flags.shape[-1], _BITS)]
    nothing = tf.zeros([], tf.int64)
    ones = [tf.where(chunk, 2 ** np.arange(chunk.shape[-1]), nothing) for chunk in chunks]
    return tf.stack([tf.reduce_sum(bits, axis=-1) for bits in ones], axis=-1)


def take_bits(words: tf.Tensor, shift: int, length: int) -> tf.Tensor:
    """Some of the bits of random words, uint64."""
    shifted = tf.bitwise.right_shift(words, tf.constant(shift, tf.uint64))
    return tf.bitwise.bitwise_and(shifted, tf.constant(2**length - 1, tf.uint64))


def draw_coordinate(words: tf.Tensor, shift: int, length: int, side: tf.Tensor) -> tf.Tensor:
    """int(U (length - side)), with U from 21 bits of random words: never the last place, but 0 if alone."""
    fraction = tf.cast(tf.cast(take_bits(words, shift, 21), tf.int32), tf.float32) * 2.0**-21
    return tf.cast(fraction * tf.cast(length - side, tf.float32), tf.int32)


def cover_lines(first: tf.Tensor, side: tf.Tensor, length: int) -> tf.Tensor:
    """Which of `length` lines a square covers, boolean (..., length)."""
    lines, first = tf.range(length), first[..., None]
    return (lines >= first) & (lines < first + side[..., None])
