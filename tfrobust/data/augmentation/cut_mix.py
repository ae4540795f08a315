"""CutMix."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfrobust.data.augmentation.soft_labels import Mixing
from tfrobust.spec import register


@register
@dataclasses.dataclass(frozen=True)
class CutMix(Mixing):
    """A rectangle of another image in its place, with labels by the pixels of each.

    The rectangle has the image's proportions, the area 1 - lam of it, lam ~ Beta(alpha, alpha), and its
    middle anywhere in the image, by whose borders it is cut. Labels go by the area that is left of it.

    Use it at the end of `augment`, with a method that takes soft labels (docs/soft_labels.md). The partner is
    any example of the training split, drawn by (seed, epoch, id of the example): see `Mixing`.

    Args:
        alpha: of the Beta distribution, above 0; 1 is uniform.
        probability: of mixing an image at all, in [0, 1]; 0.5 in the paper's code for CIFAR.

    Raises:
        UserError: a number is out of range.

    Example:
        >>> tfrobust.data.CutMix(1.0, probability=0.5)
        CutMix(alpha=1.0, probability=0.5)

    Reference: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
    Features", 2019.
    """

    def draw(self, draws: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
        sides = np.array(image_shape[:2])
        size = (sides * np.sqrt(1.0 - self.draw_shares(draws[:, :2]))[:, None]).astype(int)
        middle = (draws[:, 2:] * sides).astype(int)
        first = np.clip(middle - size // 2, 0, sides)
        last = np.clip(middle + size - size // 2, 0, sides)
        return np.concatenate([first, last], axis=1).astype(np.float32)

    def mix(
        self, images: tf.Tensor, partners: tf.Tensor, drawn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        top, left, bottom, right = (part[:, None] for part in tf.unstack(drawn, axis=1))
        height, width = images.shape[1:3]
        rows, columns = tf.range(height, dtype=tf.float32), tf.range(width, dtype=tf.float32)
        row = (rows >= top) & (rows < bottom)
        column = (columns >= left) & (columns < right)
        inside = row[:, :, None, None] & column[:, None, :, None]
        area = ((bottom - top) * (right - left))[:, 0]
        return tf.where(inside, partners, images), 1.0 - area / (height * width)
