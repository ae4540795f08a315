"""Random crops of padded images."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfrobust.data.augmentation.chunks import cut_batch
from tfrobust.errors import UserError
from tfrobust.ops.random.philox import draw_integers
from tfrobust.spec import Spec, register


@register
@dataclasses.dataclass(frozen=True)
class PadCrop(Spec):
    """Pads an image on all sides and crops it to its old size at a uniformly random place.

    Use it, with `Flip`, for CIFAR-10 and other small photographs. All (2 padding + 1)^2 places are
    equally likely; the middle one gives the image itself.

    Args:
        padding: pixels on each side, at least 1.
        mode: "zeros" (torchvision's RandomCrop; TRADES, RAT, FAIT) or "reflect" (without repeating
            the border; robust_overfitting, AWP, LLR).

    Raises:
        UserError: an argument is out of range, or the image is too small for this reflection.

    Example:
        >>> image = tf.random.stateless_uniform((8, 8, 3), seed=(0, 1))
        >>> tfrobust.data.PadCrop(2, mode="reflect")(image, seed=(3, 4)).shape
        TensorShape([8, 8, 3])
    """

    padding: int = 4
    mode: str = "zeros"

    def check(self) -> None:
        if not isinstance(self.padding, int) or isinstance(self.padding, bool) or self.padding < 1:
            raise UserError(
                "`padding` of PadCrop must be a whole number of pixels, at least 1 (leave PadCrop "
                f"out for none). Received: {self.padding!r}."
            )
        if self.mode not in ("zeros", "reflect"):
            raise UserError(
                f'`mode` of PadCrop must be "zeros" or "reflect". Received: {self.mode!r}.'
            )

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Shifts an image.

        Args:
            image: (h, w, c), any dtype, static shape.
            seed: (2,) integers.

        Returns:
            (h, w, c).
        """
        self._check_sides(*image.shape[:2])
        sides = [[self.padding] * 2, [self.padding] * 2, [0, 0]]
        padded = tf.pad(image, sides, "CONSTANT" if self.mode == "zeros" else "REFLECT")
        places = 2 * self.padding + 1
        top, left = tf.unstack(
            tf.random.stateless_uniform((2,), seed, 0, places, tf.int32, alg="philox")
        )
        return tf.slice(padded, [top, left, 0], image.shape)

    def augment_batch(self, images: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Shifts each image of a batch, to the place that the call with its seed takes.

        Args:
            images: (b, h, w, c), any dtype; changed in place.
            seeds: (b, 2) integers.

        Returns:
            `images`.
        """
        height, width, channels = images.shape[1:]
        self._check_sides(height, width)
        places = 2 * self.padding + 1
        corners = draw_integers(seeds, 2, 0, places)
        padded = np.zeros((0,), images.dtype)
        for part in cut_batch(images):
            chunk, (top, left) = images[part], corners[part].T
            if len(chunk) != len(padded):
                sides = height + 2 * self.padding, width + 2 * self.padding
                padded = np.zeros((len(chunk), *sides, channels), images.dtype)
                row, column = padded.strides[1:3]
                # Every crop is a view: only those that were drawn are copied.
                crops = np.lib.stride_tricks.as_strided(
                    padded,
                    (len(chunk), places, places, height, width, channels),
                    (padded.strides[0], row, column, *padded.strides[1:]),
                )
            self._fill(padded, chunk)
            images[part] = crops[np.arange(len(chunk)), top, left]
        return images

    def _fill(self, padded, images):
        """Puts images into the middle of larger ones, whose border is zero or becomes their reflection."""
        p = self.padding
        padded[:, p:-p, p:-p] = images
        if self.mode == "reflect":
            padded[:, :p] = padded[:, 2 * p : p : -1]
            padded[:, -p:] = padded[:, -p - 2 : -2 * p - 2 : -1]
            for channel in np.moveaxis(padded, -1, 0):
                channel[:, :, :p] = channel[:, :, 2 * p : p : -1]
                channel[:, :, -p:] = channel[:, :, -p - 2 : -2 * p - 2 : -1]

    def _check_sides(self, height, width):
        if self.mode == "reflect" and self.padding >= min(height, width):
            raise UserError(
                f"PadCrop cannot reflect {self.padding} pixels of an image of {height} by {width}: "
                '`padding` must be smaller than both sides. Use a smaller padding, or mode="zeros".'
            )
