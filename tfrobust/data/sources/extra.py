"""Extra training images, such as generated or pseudo-labelled ones, as a fixed part of each batch."""

import dataclasses
import math
import os
from collections.abc import Callable

import numpy as np

from tfrobust.contract import check_images, check_labels
from tfrobust.data import order
from tfrobust.data.sources.arrays import read_npz
from tfrobust.data.splits import Split, Splits
from tfrobust.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MixedSplit(Split):
    """A training split that consists of original examples, which come first, and of extra ones.

    `with_extra` makes it. In a batch of b examples floor(fraction * b) are extra, drawn with
    replacement, and the others are original, in a random order for each epoch. An epoch has as many
    batches as without extra examples, floor(own / b), and so uses a part 1 - fraction of the original
    examples.

    Args:
        images, labels, ids: see `Split`.
        own: number of original examples.
        fraction: the part of a batch that is extra, in (0, 1).

    Example:
        >>> x, y = np.zeros((12, 8, 8, 1), np.uint8), np.arange(12) % 2
        >>> split = tfrobust.data.MixedSplit(x, y, own=8, fraction=0.5)
        >>> batches = split.draw_batches(seed=0, epoch=0, batch_size=4)
        >>> batches.shape, (batches >= 8).sum(axis=1).tolist()
        ((2, 4), [2, 2])
    """

    own: int = 0
    fraction: float = 0.5

    def count_steps(self, batch_size: int) -> int:
        if 0 < self._count_extra(batch_size) < batch_size:
            return self.own // batch_size
        raise UserError(
            f"A batch of {batch_size} cannot be mixed: `fraction`={self.fraction} of it is "
            f"{self._count_extra(batch_size)} extra images. Use a larger `batch_size`."
        )

    def draw_batches(self, seed: int, epoch: int, batch_size: int) -> np.ndarray:
        steps, extra = self.count_steps(batch_size), self._count_extra(batch_size)
        own = order.draw_permutation(self.own, seed, epoch)[: steps * (batch_size - extra)]
        bits = order.draw_bits(seed, epoch, order.EXTRA, steps * (extra + batch_size))
        drawn = (bits[: steps * extra] % np.uint64(len(self) - self.own)).astype(np.int64)
        drawn += self.own
        batches = np.concatenate([own.reshape(steps, -1), drawn.reshape(steps, -1)], axis=1)
        # Shuffled within each batch, so that every replica gets both kinds.
        places = np.argsort(bits[steps * extra :].reshape(steps, batch_size), axis=1, kind="stable")
        return np.take_along_axis(batches, places, axis=1)

    def _count_extra(self, batch_size):
        # 0.29 * 100 is a little less than 29.
        return math.floor(self.fraction * batch_size + 1e-9)


def with_extra(
    data: Callable[[], Splits], path: str | os.PathLike, fraction: float = 0.7
) -> Splits:
    """Adds extra images to the training batches of a data set, at a fixed ratio.

    Use it for images of a generative model and for pseudo-labelled ones, as in the papers of HAT and
    SCORE. The validation and the test split do not change, nor does the number of steps of an epoch;
    see `MixedSplit`.

    Args:
        data: function without arguments that returns `Splits`, such as `tfds_images` with its arguments
            bound.
        path: .npz file with `image`, (n, h, w, c) of the shape and type of the data set's, and `label`,
            (n,) integers: the form in which Rebuffi et al. publish generated images. It is read into
            memory as a whole.
        fraction: the part of a batch that is extra, in (0, 1); rounded down to whole images.

    Returns:
        `Splits` whose `train` is a `MixedSplit`. `info.counts` has the number of extra images as "extra";
        `info.source` is that of the data set itself.

    Raises:
        UserError: the file cannot be read, or its images or labels do not fit the data set, or
            `fraction` is out of range.

    Example:
        >>> np.savez("generated.npz", image=np.zeros((50, 8, 8, 1), np.float32), label=np.arange(50) % 10)
        >>> splits = tfrobust.data.with_extra(tfrobust.data.digits, "generated.npz", fraction=0.5)
        >>> splits.info.counts
        {'train': 1077, 'validation': 360, 'test': 360, 'extra': 50}

    Reference: Carmon et al., "Unlabeled Data Improves Adversarial Robustness", 2019; Rebuffi et al.,
    "Fixing Data Augmentation to Improve Adversarial Robustness", 2021.
    """
    real = isinstance(fraction, (int, float, np.number)) and not isinstance(fraction, bool)
    if not real or not 0.0 < fraction < 1.0:
        raise UserError(f"`fraction` must be a number between 0 and 1. Received: {fraction!r}.")
    if not callable(data):
        raise UserError(
            "`data` must be a function without arguments that returns `Splits`, such as data.digits. "
            f"Received: {type(data).__name__}."
        )
    advice = "Write it with numpy.savez(path, image=..., label=...)."
    extra = read_npz(path, ("image", "label"), advice)
    splits = data()
    if not isinstance(splits, Splits):
        raise UserError(f"`data` must return `Splits`. Received: {type(splits).__name__}.")
    train = splits.train
    if not isinstance(train, Split):
        raise UserError(
            f"Extra images are mixed into training images in memory, and those of {splits.info.name!r} are "
            f"{train.storage}. Raise `memory_limit_gib` of the data set, or leave out its random crop."
        )
    images = check_images(extra["image"], f"image of {path}")
    labels = check_labels(extra["label"], f"label of {path}", splits.info.num_classes)
    if len(images) != len(labels):
        raise UserError(
            f"{path} has {len(images)} images and {len(labels)} labels: give exactly one label for each "
            "image."
        )
    if images.shape[1:] != train.image_shape or images.dtype != train.images.dtype:
        raise UserError(
            f"The images of {path} are {images.dtype} {images.shape[1:]}, those of {splits.info.name!r} are "
            f"{train.images.dtype} {train.image_shape}: type and shape must be the same. Convert them."
        )
    mixed = MixedSplit(
        np.concatenate([train.images, images]),
        np.concatenate([train.labels, labels]),
        np.concatenate([train.ids, train.ids.max() + 1 + np.arange(len(images))]),
        own=len(train),
        fraction=float(fraction),
    )
    counts = {**splits.info.counts, "extra": len(images)}
    info = dataclasses.replace(splits.info, counts=counts)
    return dataclasses.replace(splits, train=mixed, info=info)
