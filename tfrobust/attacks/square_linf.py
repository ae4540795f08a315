"""Proposals of the Square attack in Linf: a square of one colour."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.square_draws import (
    Proposal,
    compute_sides,
    cover_lines,
    draw_coordinate,
    make_channel_bits,
    pack_flags,
    take_bits,
)
from tfrobust.ops.random.keys import ExampleKeys, Keys
from tfrobust.threat_models.base import to_box

# Proposals that a row looks at in one step, for the first one whose answer is not known.
AHEAD = 16
# The largest table of known proposals that a row keeps.
_MOST_PLACES = 2**14
# Channels whose colours a random word tells.
MOST_CHANNELS = 22


class LinfSquares:
    """What a square may be, and what is known about squares without asking.

    Args:
        shape: (h, w, c) of the images.
        shares: share of the pixels for every query.
    """

    remembered = ("known", "side")

    def __init__(self, shape: tuple[int, int, int], shares: np.ndarray):
        self.height, self.width, self.channels = shape
        self.sides = compute_sides(shares, self.height, self.width)
        # For each query: the first one after it of another side, and whether it is a first one itself.
        change = np.append(np.flatnonzero(np.diff(self.sides)) + 1, len(self.sides))
        numbers = np.arange(len(self.sides))
        self.until = change[np.searchsorted(change, numbers, side="right")].astype(np.int32)
        self.is_first = np.isin(numbers, [0, *change])
        self.colours = 2**self.channels
        self.places = self.height * self.width * self.colours
        self.remembers = self.places <= _MOST_PLACES
        # For each query: how many squares of its side there are, in all colours.
        rows, columns = (np.maximum(v - self.sides, 1) for v in (self.height, self.width))
        self.squares = rows * columns * self.colours if self.remembers else None

    def start(self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys) -> tf.Tensor:
        """Vertical stripes: every column and channel has a colour of its own."""
        shape = [tf.shape(x)[0], 1, self.width, self.channels]
        positive = keys.fold_in(-3).uniform(shape, x.dtype) >= 0.5
        return to_box(tf.where(positive, x + radius, x - radius))

    def memory(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Nothing is known yet of the squares of one side and all colours: "known" (b, places).

        "place" is where the proposal stands that was asked last, (b,).
        """
        if not self.remembers:
            return {}
        rows = tf.shape(x)[0]
        return {
            "known": tf.zeros([rows, self.places], tf.bool),
            "place": tf.zeros([rows], tf.int32),
        }

    def remember(
        self, s: dict[str, tf.Tensor], taken: tf.Tensor, refused: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The memory after the answer: empty after a change, with the proposal where it was refused."""
        if not self.remembers:
            return {}
        asked = tf.range(self.places) == s["place"][:, None]
        known = s["known"] | (refused[:, None] & asked)
        return {"known": known & ~taken[:, None], "place": s["place"]}

    def propose(
        self, x: tf.Tensor, radius: tf.Tensor | float, s: dict[str, tf.Tensor], asks_all: tf.Tensor
    ) -> Proposal:
        """The next proposals of every row, the known ones among them passed over.

        Args:
            x: clean images, (b, h, w, c).
            radius: scalar.
            s: state of the attack.
            asks_all: ask all of them, since the model gives other logits each time; boolean scalar.
        """
        index, here = s["index"], tf.minimum(s["index"], len(self.sides) - 1)
        side, until = tf.gather(self.sides, here), tf.gather(self.until, here)
        numbers = index[:, None] + tf.range(AHEAD)
        there = numbers < until[:, None]
        top, left, colour = self._draw(ExampleKeys(s["seeds"]).words(numbers), side)
        positive = tf.bitwise.bitwise_and(colour[..., None], make_channel_bits(self.channels)) > 0
        high, low = to_box(x + radius), to_box(x - radius)
        ask = self._changes(s["best"], high, low, top, left, side, positive)
        if self.remembers:
            known = s["known"] & ~tf.gather(self.is_first, here)[:, None]
            place = (top * self.width + left) * self.colours + colour
            ask &= ~tf.gather(known, place, batch_dims=1)
        ask = there & (ask | asks_all)
        found = tf.reduce_any(ask, axis=1)
        pick = tf.argmax(ask, axis=1, output_type=tf.int32)
        following = tf.where(found, index + pick, tf.minimum(index + AHEAD, until))
        pick = tf.where(found, pick, 0)
        memory = {}
        if self.remembers:
            known = self._note(known, place, numbers < following[:, None])
            # All squares of this side are known, so the queries up to the next side are.
            count = tf.reduce_sum(tf.cast(known, tf.int32), axis=1)
            exhausted = count == tf.gather(self.squares, here)
            following = tf.where(exhausted & ~found, until, following)
            memory = {"known": known, "place": tf.gather(place, pick, batch_dims=1)}
        chosen = [tf.gather(v, pick, batch_dims=1) for v in (top, left, positive)]
        image = self._paint(s["best"], high, low, side, *chosen)
        return Proposal(image, found, following, memory)

    def _draw(self, words, side):
        """Places and colours from 64 random bits: 21 for each coordinate, one for each channel."""
        top = draw_coordinate(words, 43, self.height, side[:, None])
        left = draw_coordinate(words, 22, self.width, side[:, None])
        return top, left, tf.cast(take_bits(words, 0, self.channels), tf.int32)

    def _changes(self, best, high, low, top, left, side, positive):
        """Whether a square of the colour differs from what is there, (b, m), by lines of bits."""
        lines = cover_lines(top, side[:, None], self.height)[..., None]
        columns = pack_flags(cover_lines(left, side[:, None], self.width))[:, :, None]
        changes = tf.zeros_like(top, tf.bool)
        for channel in range(self.channels):
            here, of_high, of_low = (v[..., channel] for v in (best, high, low))
            of_high, of_low = (pack_flags(here != colour)[:, None] for colour in (of_high, of_low))
            chosen = tf.where(positive[..., channel, None, None], of_high, of_low)
            there = lines & (tf.bitwise.bitwise_and(chosen, columns) > 0)
            changes |= tf.reduce_any(there, axis=[2, 3])
        return changes

    def _note(self, known, place, passed):
        """The table with the proposals that were passed over."""
        row = tf.broadcast_to(tf.range(tf.shape(place)[0])[:, None], tf.shape(place))
        # Proposals that are not to be noted write into a column that is cut off.
        column = tf.where(passed, place, self.places)
        wide = tf.pad(known, [[0, 0], [0, 1]])
        ones = tf.ones_like(passed)
        return tf.tensor_scatter_nd_update(wide, tf.stack([row, column], -1), ones)[:, :-1]

    def _paint(self, best, high, low, side, top, left, positive):
        rows = cover_lines(top, side, self.height)[:, :, None, None]
        columns = cover_lines(left, side, self.width)[:, None, :, None]
        colour = tf.where(positive[:, None, None, :], high, low)
        return tf.where(rows & columns, colour, best)
