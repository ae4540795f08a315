"""Random mirror images."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfrobust.data.augmentation.chunks import cut_batch
from tfrobust.ops.random.philox import draw_integers
from tfrobust.spec import Spec, register


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

    def augment_batch(self, images: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Mirrors those images of a batch that the call with their seed mirrors.

        Args:
            images: (b, h, w, c), any dtype; changed in place.
            seeds: (b, 2) integers.

        Returns:
            `images`.
        """
        heads = draw_integers(seeds, 1, 0, 2)[:, 0] == 1
        for part in cut_batch(images):
            chunk = images[part]
            chosen = chunk[heads[part]]
            mirrored = np.empty_like(chosen)
            # Channel by channel: NumPy is faster in long rows than in pixels of a few bytes.
            for channel in range(images.shape[-1]):
                mirrored[..., channel] = chosen[:, :, ::-1, channel]
            chunk[heads[part]] = mirrored
        return images
