"""Augmentations that change labels too, which become distributions (b, k)."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.special
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.ops.random.philox import draw_words
from tfrobust.spec import Spec, register


class SoftLabels(Spec):
    """Base of what stands at the end of `augment` and makes soft labels of class numbers.

    Example:
        >>> isinstance(tfrobust.data.Mixup(), tfrobust.data.SoftLabels)
        True
    """


@register
@dataclasses.dataclass(frozen=True)
class LabelSmoothing(SoftLabels):
    """Gives each label 1 - s and every other of the k classes s / (k - 1), as `label_smoothing` of methods.

    Use it where the method has no such setting, or where all that reads labels, the attack
    included, is to see the smoothed ones. The two add up: leave one of them out.

    Args:
        label_smoothing: s, in [0, 1).

    Raises:
        UserError: s is out of range.

    Example:
        >>> print(tfrobust.data.LabelSmoothing(0.2)(tf.constant([1]), num_classes=3).numpy().round(3))
        [[0.1 0.8 0.1]]

    Reference: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016, who
    spread s over all k classes, the label included: theirs is s (k - 1) / k here.
    """

    label_smoothing: float = 0.1

    def check(self) -> None:
        number(self.label_smoothing, "label_smoothing", 0.0, 0.999)

    def __call__(self, labels: tf.Tensor, num_classes: int) -> tf.Tensor:
        """Soft labels, float32 (b, k), of class numbers (b,)."""
        s = self.label_smoothing
        return tf.one_hot(labels, num_classes, 1.0 - s, s / max(num_classes - 1, 1))


@dataclasses.dataclass(frozen=True)
class Mixing(SoftLabels):
    """Base of augmentations that mix an image with a partner, and their labels by the same shares.

    The partner of an example in an epoch is any example of the training split, drawn uniformly by (seed,
    epoch, id of the example), and so is how much of it is taken. It is augmented as in its own place in the
    epoch. So a mixed image depends neither on the batch nor on workers or devices, and a run resumes to the
    bit; the usual codes permute a batch instead, which makes of each example a partner once.

    Each image costs the reading and the augmentation of two.

    Args:
        alpha: of the Beta distribution of the shares, above 0.
        probability: of mixing an image at all, in [0, 1].

    Raises:
        UserError: a number is out of range.

    Example:
        >>> import dataclasses
        >>> @dataclasses.dataclass(frozen=True)
        ... class UpperHalf(tfrobust.data.Mixing):
        ...     def draw(self, draws, image_shape):
        ...         return np.zeros((len(draws), 0), np.float32)
        ...
        ...     def mix(self, images, partners, drawn):
        ...         upper = tf.range(images.shape[1])[:, None, None] < images.shape[1] // 2
        ...         return tf.where(upper, images, partners), tf.fill(tf.shape(images)[:1], 0.5)
        >>> isinstance(UpperHalf(), tfrobust.data.SoftLabels)
        True
    """

    alpha: float = 1.0
    probability: float = 1.0

    def check(self) -> None:
        number(self.alpha, "alpha", 1e-3, 1e3)
        number(self.probability, "probability", 0.0, 1.0)

    def draw_shares(self, draws: np.ndarray) -> np.ndarray:
        """Shares of the images themselves, Beta(alpha, alpha), or 1 where nothing is mixed, (b,).

        Args:
            draws: (b, 2), uniform in [0, 1).
        """
        # By the distribution's quantiles: one number makes one share.
        shares = scipy.special.betaincinv(self.alpha, self.alpha, draws[:, 0])
        return np.where(draws[:, 1] < self.probability, shares, 1.0)

    def draw(self, draws: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
        """What `mix` takes for each image, float32 (b, n), of uniform `draws`, (b, 4)."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it mixes.")

    def mix(
        self, images: tf.Tensor, partners: tf.Tensor, drawn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mixed images, (b, h, w, c), and the shares of `images` in them, (b,)."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it mixes.")


class Parts(NamedTuple):
    """An `augment` by what its parts change.

    Attributes:
        transforms: those of images alone, a tuple.
        smoothing, mixing: `LabelSmoothing`, `Mixing`, or None.
    """

    transforms: tuple
    smoothing: LabelSmoothing | None
    mixing: Mixing | None

    @property
    def makes_soft_labels(self) -> bool:
        """Whether labels become distributions."""
        return self.smoothing is not None or self.mixing is not None


def split_soft_labels(augment: Sequence[Any]) -> Parts:
    """Takes what makes soft labels from the end of an `augment`.

    Raises:
        UserError: something that changes images alone stands after it, or there are two of a kind.

    Example:
        >>> parts = split_soft_labels([tfrobust.data.Flip(), tfrobust.data.Mixup(0.2)])
        >>> parts.transforms, parts.mixing, parts.makes_soft_labels
        ((Flip(),), Mixup(alpha=0.2, probability=1.0), True)
    """
    soft = [part for part in augment if isinstance(part, SoftLabels)]
    count = len(augment) - len(soft)
    smoothing = [part for part in soft if isinstance(part, LabelSmoothing)]
    mixing = [part for part in soft if isinstance(part, Mixing)]
    if list(augment[count:]) != soft or len(smoothing) > 1 or len(mixing) > 1:
        raise UserError(
            "`augment` ends with what makes soft labels: one of Mixup and CutMix, and LabelSmoothing, each "
            f"once at most, after all that changes images alone. Received: {tuple(augment)!r}."
        )
    first, second = smoothing[0] if smoothing else None, mixing[0] if mixing else None
    return Parts(tuple(augment[:count]), first, second)


def draw_uniform(seeds: np.ndarray, count: int) -> np.ndarray:
    """Uniform numbers in [0, 1) of 53 bits, float64 (b, count); row i depends on seed i, (b, 2), only.

    Example:
        >>> bool(np.all(draw_uniform(np.array([[0, 1], [0, 2]]), 3) < 1))
        True
    """
    words = draw_words(seeds, 2 * count).astype(np.uint64).reshape(-1, count, 2)
    return ((words[..., 0] >> 5) * 2.0**26 + (words[..., 1] >> 6)) / 2.0**53
