"""Proposals of the Square attack in Linf: a square of one colour."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrobust.ops.random import ExampleKeys
from tfrobust.threat_models.base import to_box

# Proposals that a row looks at in one step, for the first one whose answer is not known.
AHEAD = 16
# The largest table of known proposals that a row keeps.
_MOST_PLACES = 2**14


class Proposal(NamedTuple):
    """What rows ask next.

    Attributes:
        image: (b, h, w, c).
        found: whether there is something to ask, (b,).
        next: number of the query after it, or after those whose answer is known, int32 (b,).
        memory: what the row remembers, before the answer.
        place: of the proposal in the table of known ones, int32 (b,).
    """

    image: tf.Tensor
    found: tf.Tensor
    next: tf.Tensor
    memory: dict
    place: tf.Tensor | None = None


def sides_of(shares, height, width):
    """Sides of the squares, int (queries,): round(sqrt(share h w)), half to even, at least 1."""
    sides = np.rint(np.sqrt(shares * height * width)).astype(np.int32)
    return np.clip(sides, 1, min(height, width))


class LinfSquares:
    """What a square may be, and what is known about squares without asking.

    Args:
        shape: (h, w, c) of the images.
        shares: share of the pixels for every query.
    """

    remembered = ("known", "side")

    def __init__(self, shape, shares):
        self.shape = self.height, self.width, self.channels = shape
        self.sides = sides_of(shares, self.height, self.width)
        # From each query on: the first one of another side.
        change = np.append(np.flatnonzero(np.diff(self.sides)) + 1, len(self.sides))
        self.changes = change[np.searchsorted(change, np.arange(len(self.sides)), side="right")]
        self.colours = 2**self.channels
        places = self.height * self.width * self.colours
        self.remembers = places <= _MOST_PLACES
        self.places = places if self.remembers else 1

    def start(self, x, radius, keys):
        """Vertical stripes: every column and channel has a colour of its own."""
        shape = [tf.shape(x)[0], 1, self.width, self.channels]
        positive = keys.fold_in(-3).uniform(shape, x.dtype) >= 0.5
        return to_box(tf.where(positive, x + radius, x - radius))

    def memory(self, x):
        """Nothing is known yet: "known" (b, places), and the side that it is known for."""
        rows = tf.shape(x)[0]
        return {
            "known": tf.zeros([rows, self.places], tf.bool),
            "side": tf.zeros([rows], tf.int32),
        }

    def propose(self, x, radius, s):
        """The next proposals of every row, the known ones among them passed over."""
        queries = len(self.sides)
        numbers = tf.maximum(s["index"], 0)[:, None] + tf.range(AHEAD)
        there = numbers < queries
        side = tf.gather(self.sides, tf.minimum(numbers, queries - 1))
        top, left, positive = self._drawn(ExampleKeys(s["seeds"]).words(numbers), side)
        high, low = to_box(x + radius), to_box(x - radius)
        ask = there & self._changes(s["best"], high, low, top, left, side, positive)
        place = self._place(top, left, positive)
        if self.remembers:
            same = side == s["side"][:, None]
            ask &= ~(same & tf.gather(s["known"], place, batch_dims=1))
        found = tf.reduce_any(ask, axis=1)
        pick = tf.where(found, tf.argmax(ask, axis=1, output_type=tf.int32), AHEAD)
        passed = there & (tf.range(AHEAD) < pick[:, None])
        following = tf.minimum(tf.maximum(s["index"], 0) + pick + tf.cast(found, tf.int32), queries)
        memory, exhausted = self._noted(s, side, place, passed, pick, there)
        # All squares of this side are known, so the queries up to the next side are.
        last = tf.minimum(following, queries - 1)
        jump = exhausted & ~found & (tf.gather(self.sides, last) == memory["side"])
        jump &= following < queries
        following = tf.where(jump, tf.gather(self.changes.astype(np.int32), last), following)
        pick = tf.minimum(pick, AHEAD - 1)
        chosen = [tf.gather(v, pick, batch_dims=1) for v in (top, left, side, positive)]
        image = self._painted(s["best"], high, low, *chosen)
        return Proposal(image, found, following, memory, tf.gather(place, pick, batch_dims=1))

    def remember(self, s, proposal, taken, first):
        """The table after the answer: empty after a change, with the proposal where it was refused."""
        known, side = proposal.memory["known"], proposal.memory["side"]
        if not self.remembers:
            return {"known": known, "side": side}
        refused = (proposal.found & ~taken)[:, None]
        known |= refused & (tf.range(self.places) == proposal.place[:, None])
        empty = taken | first
        return {"known": known & ~empty[:, None], "side": tf.where(first, 0, side)}

    def _drawn(self, words, side):
        """Place and colour from 64 random bits: 21 for each coordinate, one for each channel."""
        bits = tf.cast(part(words, 0, 22), tf.int32)[..., None]
        positive = tf.bitwise.bitwise_and(bits, [2**c for c in range(self.channels)]) > 0
        top = coordinate(words, 43, self.height, side)
        return top, coordinate(words, 22, self.width, side), positive

    def _place(self, top, left, positive):
        pattern = tf.reduce_sum(
            tf.cast(positive, tf.int32) * [2**c for c in range(self.channels)], axis=-1
        )
        return ((top * self.width + left) * self.colours + pattern) * int(self.remembers)

    def _changes(self, best, high, low, top, left, side, positive):
        """Whether a square of the colour differs from what is there, (b, m), by counting pixels."""
        differs = tf.cast(tf.concat([best != high, best != low], axis=-1), tf.float32)
        rows = tf.cast(within(top, side, self.height), tf.float32)
        columns = tf.cast(within(left, side, self.width), tf.float32)
        wide = tf.reshape(differs, [-1, self.height, self.width * 2 * self.channels])
        counted = tf.reshape(rows @ wide, [-1, AHEAD, self.width, 2 * self.channels])
        counted = tf.squeeze(columns[:, :, None] @ counted, axis=2)
        of_high, of_low = tf.split(counted, 2, axis=-1)
        return tf.reduce_any(tf.where(positive, of_high, of_low) > 0.0, axis=-1)

    def _noted(self, s, side, place, passed, pick, there):
        """The table with the proposals that were passed over, and whether it is full."""
        if not self.remembers:
            return {"known": s["known"], "side": s["side"]}, tf.zeros_like(s["done"])
        last = tf.reduce_sum(tf.cast(there, tf.int32), axis=1) - 1
        new = tf.gather(side, tf.maximum(tf.minimum(pick, last), 0), batch_dims=1)
        known = s["known"] & (new == s["side"])[:, None]
        mine = passed & (side == new[:, None])
        row = tf.broadcast_to(tf.range(tf.shape(place)[0])[:, None], tf.shape(place))
        # Proposals that are not to be noted write into a column that is cut off.
        column = tf.where(mine, place, self.places)
        wide = tf.pad(known, [[0, 0], [0, 1]])
        ones = tf.ones_like(mine)
        known = tf.tensor_scatter_nd_update(wide, tf.stack([row, column], -1), ones)[:, :-1]
        squares = tf.maximum(self.height - new, 1) * tf.maximum(self.width - new, 1)
        count = tf.reduce_sum(tf.cast(known, tf.int32), axis=1)
        return {"known": known, "side": new}, count == squares * self.colours

    def _painted(self, best, high, low, top, left, side, positive):
        rows = within(top, side, self.height)[:, :, None, None]
        columns = within(left, side, self.width)[:, None, :, None]
        colour = tf.where(positive[:, None, None, :], high, low)
        return tf.where(rows & columns, colour, best)


def part(words, shift, bits):
    """Some of the bits of random words, uint64."""
    shifted = tf.bitwise.right_shift(words, tf.constant(shift, tf.uint64))
    return tf.bitwise.bitwise_and(shifted, tf.constant(2**bits - 1, tf.uint64))


def coordinate(words, shift, length, side):
    """int(U (length - side)), with U from 21 bits of random words: never the last place, but 0 if alone."""
    fraction = tf.cast(tf.cast(part(words, shift, 21), tf.int32), tf.float32) * 2.0**-21
    return tf.cast(fraction * tf.cast(length - side, tf.float32), tf.int32)


def within(first, side, length):
    """Which of `length` lines a square covers, boolean (..., length)."""
    lines, first = tf.range(length), first[..., None]
    return (lines >= first) & (lines < first + side[..., None])
