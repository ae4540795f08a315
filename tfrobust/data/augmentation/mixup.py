"""Mixup."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfrobust.data.augmentation.soft_labels import Mixing
from tfrobust.spec import register


@register
@dataclasses.dataclass(frozen=True)
class Mixup(Mixing):
    """Convex combinations of two images, with labels of the same shares.

    x = lam x_i + (1 - lam) x_j,  t = lam t_i + (1 - lam) t_j,  lam ~ Beta(alpha, alpha)

    Use it at the end of `augment`, with a method that takes soft labels (docs/soft_labels.md). The partner
    j is any example of the training split, drawn by (seed, epoch, id of i): see `Mixing`.

    Args:
        alpha: of the Beta distribution, above 0: 0.2 mixes little in most images, 1 is uniform.
        probability: of mixing an image at all, in [0, 1].

    Raises:
        UserError: a number is out of range.

    Example:
        >>> split = tfrobust.data.digits().train
        >>> augment = [tfrobust.data.Mixup(0.2)]
        >>> dataset = tfrobust.data.training_dataset(
        ...     split, 128, seed=0, epochs=1, augment=augment, num_classes=10)
        >>> dataset.element_spec[1].shape
        TensorShape([128, 10])

    Reference: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """

    def draw(self, draws: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
        return self.draw_shares(draws[:, :2])[:, None].astype(np.float32)

    def mix(
        self, images: tf.Tensor, partners: tf.Tensor, drawn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        share = drawn[:, :, None, None]
        # A convex combination leaves [0, 1] by a rounding.
        return tf.clip_by_value(share * images + (1.0 - share) * partners, 0.0, 1.0), drawn[:, 0]
