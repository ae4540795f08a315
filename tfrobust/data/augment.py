"""Augmentation: frozen values that can be called with an image and a stateless seed."""

import dataclasses

import tensorflow as tf

from tfrobust.errors import UserError
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
        height, width, _ = image.shape
        if self.mode == "reflect" and self.padding >= min(height, width):
            raise UserError(
                f"PadCrop cannot reflect {self.padding} pixels of an image of {height} by {width}: "
                '`padding` must be smaller than both sides. Use a smaller padding, or mode="zeros".'
            )
        sides = [[self.padding] * 2, [self.padding] * 2, [0, 0]]
        padded = tf.pad(image, sides, "CONSTANT" if self.mode == "zeros" else "REFLECT")
        places = 2 * self.padding + 1
        top, left = tf.unstack(
            tf.random.stateless_uniform((2,), seed, 0, places, tf.int32, alg="philox")
        )
        return tf.slice(padded, [top, left, 0], image.shape)


@register
@dataclasses.dataclass(frozen=True)
class Flip(Spec):
    """Mirrors an image left to right with probability 1/2.

    Use it for photographs, and not for images of text or digits.

    Example:
        >>> image = tf.constant([[[1.0], [2.0]]])
        >>> flip = tfrobust.data.Flip()
        >>> [float(flip(image, seed=(0, i))[0, 0, 0]) for i in range(4)]
        [1.0, 2.0, 2.0, 2.0]
    """

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the image or its mirror image.

        Args:
            image: (h, w, c), any dtype.
            seed: (2,) integers.

        Returns:
            (h, w, c).
        """
        heads = tf.random.stateless_uniform((), seed, 0, 2, tf.int32, alg="philox")
        return tf.where(heads == 1, tf.reverse(image, [1]), image)
