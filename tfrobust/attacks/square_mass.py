"""Proposals of the Square attack in L2 and L1: mass is moved from one square to another."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.square_draws import (
    Proposal,
    compute_sides,
    cover_lines,
    draw_coordinate,
    make_channel_bits,
    take_bits,
)
from tfrobust.errors import UserError
from tfrobust.ops.random.keys import ExampleKeys, Keys


def kernel(side: int, power: int, order: int) -> np.ndarray:
    """The pattern eta of a square, (side, side), of length one: a hill above a valley.

    Each half is a pyramid sum over k of 1 / (k + 1)^power on the rectangles of radius k around its
    middle, of length one; then the whole is made of length one.

    Args:
        side: of the square, in pixels.
        power: how steep the pyramids are.
        order: of the norm that lengths are measured in.
    """
    upper = side // 2
    halves = [_pyramid(upper, side, power, order), -_pyramid(side - upper, side, power, order)]
    eta = np.concatenate(halves)
    return (eta / np.linalg.norm(eta.ravel(), order)).astype(np.float32)


def _pyramid(height, width, power, order):
    hill = np.zeros((height, width))
    middle = height // 2, width // 2
    for k in range(max(middle) + 1):
        rows = slice(max(middle[0] - k, 0), min(middle[0] + k, height - 1) + 1)
        columns = slice(max(middle[1] - k, 0), min(middle[1] + k, width - 1) + 1)
        hill[rows, columns] += 1.0 / (k + 1) ** power
    # The upper half of a square of one pixel is empty.
    return hill / max(np.linalg.norm(hill.ravel(), order), 1e-12)


class MovedMass:
    """Two squares at random: the pattern is added to the first one, and takes the mass of the second.

    A subclass defines the pattern, its mass, and how an image is brought into the threat model.

    Args:
        shape: (h, w, c) of the images, h and w at least 5.
        shares: share of the pixels for every query.
    """

    remembered = ()

    def __init__(self, shape: tuple[int, int, int], shares: np.ndarray):
        self.height, self.width, self.channels = shape
        if min(self.height, self.width) < 5:
            raise UserError(
                "Square in L2 and L1 needs images of at least 5 by 5 pixels. "
                f"Received: {self.height} by {self.width}."
            )
        sides = np.maximum(compute_sides(shares, self.height, self.width), 3)
        sides += 1 - sides % 2
        self.sides = np.minimum(sides, min(self.height, self.width)).astype(np.int32)
        sides, self.kinds = np.unique(self.sides, return_inverse=True)
        most = int(sides[-1])
        # Of every side its pattern, and zeros beyond it.
        self.kernels = np.zeros((len(sides), most + 1, most + 1), np.float32)
        for kind, side in enumerate(sides):
            self.kernels[kind, :side, :side] = self.kernel(side)

    def start(self, x: tf.Tensor, radius: tf.Tensor | float, keys: Keys) -> tf.Tensor:
        """Patterns side by side, each turned and with a sign of its own."""
        side = self.height // 5
        offset = (self.height - 5 * side) // 2
        counts = [
            min(length // side, (length - offset) // side) for length in (self.height, self.width)
        ]
        tiles = [tf.shape(x)[0], *counts, self.channels + 1]
        positive = keys.fold_in(-3).uniform(tiles, x.dtype) >= 0.5
        patterns = tf.constant(np.stack([self.kernel(side), self.kernel(side).T]), x.dtype)
        chosen = tf.gather(patterns, tf.cast(positive[..., -1], tf.int32))
        signs = tf.where(positive[..., :-1], tf.ones([], x.dtype), -tf.ones([], x.dtype))
        # (b, rows, columns, s, s, c), then the pixels of a tile beside those of the next one.
        delta = tf.transpose(chosen[..., None] * signs[:, :, :, None, None, :], [0, 1, 3, 2, 4, 5])
        extent = [count * side for count in counts]
        delta = tf.reshape(delta, [-1, *extent, self.channels])
        rest = [length - offset - e for length, e in zip((self.height, self.width), extent)]
        delta = tf.pad(delta, [[0, 0], [offset, rest[0]], [offset, rest[1]], [0, 0]])
        return self.bring_inside(x, delta, radius)

    def memory(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Nothing is remembered."""
        return {}

    def remember(
        self, s: dict[str, tf.Tensor], taken: tf.Tensor, refused: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Nothing is remembered."""
        return {}

    def propose(
        self, x: tf.Tensor, radius: tf.Tensor | float, s: dict[str, tf.Tensor], asks_all: tf.Tensor
    ) -> Proposal:
        """The next proposal of every row; all of them are asked."""
        numbers, here = s["index"], tf.minimum(s["index"], len(self.sides) - 1)
        side = tf.gather(self.sides, here)
        words = ExampleKeys(s["seeds"]).words(tf.stack([2 * numbers, 2 * numbers + 1], axis=1))
        tops = draw_coordinate(words, 43, self.height, side[:, None])
        lefts = draw_coordinate(words, 22, self.width, side[:, None])
        top, left = tops[:, 0], lefts[:, 0]
        first, second = self._mask(top, left, side), self._mask(tops[:, 1], lefts[:, 1], side)
        colour = tf.cast(take_bits(words, 0, self.channels), tf.int32)
        positive = tf.bitwise.bitwise_and(colour[:, :1], make_channel_bits(self.channels)) > 0
        turned = tf.bitwise.bitwise_and(colour[:, 1], 1) > 0
        signs = tf.where(positive, tf.ones([], x.dtype), -tf.ones([], x.dtype))
        pattern = tf.cast(self._pattern(top, left, here, turned), x.dtype)[..., None]
        delta = s["best"] - x
        zero = tf.zeros_like(delta)
        pattern = pattern * signs[:, None, None, :]
        moved = self.move_mass(delta, pattern, first, second, radius)
        delta = tf.where(first, moved, tf.where(second, zero, delta))
        image = self.bring_inside(x, delta, radius)
        return Proposal(image, numbers == here, numbers, {})

    @staticmethod
    def kernel(side: int) -> np.ndarray:
        """The pattern of a square of this side, (side, side)."""
        raise NotImplementedError

    @staticmethod
    def move_mass(
        delta: tf.Tensor,
        pattern: tf.Tensor,
        first: tf.Tensor,
        second: tf.Tensor,
        radius: tf.Tensor | float,
    ) -> tf.Tensor:
        """What the perturbation becomes in the first square; anything elsewhere.

        Args:
            delta: perturbations, (b, h, w, c).
            pattern: with its signs, zero outside the first square, shape of `delta`.
            first, second: which pixels belong to the squares, boolean (b, h, w, 1).
            radius: scalar.
        """
        raise NotImplementedError

    @staticmethod
    def bring_inside(x: tf.Tensor, delta: tf.Tensor, radius: tf.Tensor | float) -> tf.Tensor:
        """The images x + delta, brought into ball and box."""
        raise NotImplementedError

    def _mask(self, top, left, side):
        rows, columns = cover_lines(top, side, self.height), cover_lines(left, side, self.width)
        return rows[:, :, None, None] & columns[:, None, :, None]

    def _pattern(self, top, left, here, turned):
        """The pattern at its place in the image, (b, h, w)."""
        most = self.kernels.shape[1] - 1
        rows = tf.broadcast_to(
            tf.range(self.height)[:, None] - top[:, None, None],
            [tf.shape(top)[0], self.height, self.width],
        )
        columns = tf.broadcast_to(tf.range(self.width) - left[:, None, None], tf.shape(rows))
        # Outside the square: the last row and column, which are zero.
        rows, columns = (tf.where((v < 0) | (v > most), most, v) for v in (rows, columns))
        flip = turned[:, None, None]
        first, second = tf.where(flip, columns, rows), tf.where(flip, rows, columns)
        kind = tf.gather(self.kinds.astype(np.int32), here)
        kind = tf.broadcast_to(kind[:, None, None], tf.shape(rows))
        return tf.gather_nd(self.kernels, tf.stack([kind, first, second], axis=-1))
