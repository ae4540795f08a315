"""Extra training images, such as generated or pseudo-labelled ones, at a given share of each batch."""

import dataclasses
import math
import zipfile

import numpy as np

from tfrobust.contract import check_images, check_labels
from tfrobust.data import order
from tfrobust.data.checks import check_regular
from tfrobust.data.splits import Split, Splits
from tfrobust.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MixedSplit(Split):
    """A training split whose first examples are its own and whose others are extra.

    Of a batch of b examples floor(fraction b) are extra, drawn with replacement, and the others are its
    own, in an order of the epoch. An epoch has as many batches as it would have without the extra
    ones: floor(own / b), in which it sees the share 1 - fraction of its own examples.

    Args:
      images, labels, ids: see `Split`.
      own: number of its own examples.
      fraction: share of extra examples in a batch, between 0 and 1.
    """

    own: int = 0
    fraction: float = 0.5

    def steps(self, batch_size):
        if 0 < self._extra_in(batch_size) < batch_size:
            return self.own // batch_size
        raise UserError(
            f"A batch of {batch_size} cannot be mixed: `fraction`={self.fraction} of it is "
            f"{self._extra_in(batch_size)} extra images. Use a larger `batch_size`."
        )

    def places(self, seed, epoch, batch_size):
        steps, extra = self.steps(batch_size), self._extra_in(batch_size)
        own = order.permutation(self.own, seed, epoch)[: steps * (batch_size - extra)]
        bits = order.random_bits(seed, epoch, order.EXTRA, steps * (extra + batch_size))
        drawn = bits[: steps * extra] % np.uint64(len(self) - self.own)
        drawn = self.own + drawn.astype(np.int64)
        batches = np.concatenate([own.reshape(steps, -1), drawn.reshape(steps, -1)], axis=1)
        # Among each other, so that every replica's share of a batch is mixed.
        places = np.argsort(bits[steps * extra :].reshape(steps, batch_size), axis=1, kind="stable")
        return np.take_along_axis(batches, places, axis=1)

    def _extra_in(self, batch_size):
        # 0.29 * 100 is a little less than 29.
        return math.floor(self.fraction * batch_size + 1e-9)


def with_extra(data, path, fraction=0.7):
    """A data set whose training batches consist of its own and of extra images at a fixed ratio.

    Use it for images of a generative model and for pseudo-labelled ones, which the recipes of HAT and
    SCORE with extra data take. Validation and test stay as they are, and an epoch keeps its number of
    steps; see `MixedSplit`.

    Args:
      data: function without arguments that returns `Splits`, such as `tfds_images` with its arguments
        bound.
      path: .npz file with `image`, (n, h, w, c) as the data set's, and `label`, (n,) integers: as the
        generated sets of Rebuffi et al. are published. All of it is read into memory.
      fraction: share of a batch that is extra, between 0 and 1, rounded down to whole images.

    Returns:
      `Splits` whose `train` is a `MixedSplit`. `info.counts` has their number as "extra"; `info.source`
      is that of the data set itself.

    Raises:
      UserError: the file can't be read, or its images, labels or the fraction do not fit.

    Example:
      splits = data.with_extra(data.digits, "generated.npz", fraction=0.5)

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
    images, labels = _read(path)
    splits = data()
    if not isinstance(splits, Splits):
        raise UserError(f"`data` must return `Splits`. Received: {type(splits).__name__}.")
    train = splits.train
    images = check_images(images, f"image of {path}")
    labels = check_labels(labels, f"label of {path}", splits.info.num_classes)
    if len(images) != len(labels):
        raise UserError(
            f"{path} has {len(images)} images and {len(labels)} labels: give exactly one label each."
        )
    if images.shape[1:] != train.image_shape or images.dtype != train.images.dtype:
        raise UserError(
            f"The images of {path} are {images.dtype} {images.shape[1:]}, those of {splits.info.name!r} "
            f"{train.images.dtype} {train.image_shape}: both must be alike. Convert them."
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


def _read(path):
    advice = "Write it with numpy.savez(path, image=..., label=...)."
    check_regular(path)
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise UserError(
                f"{path} holds one array without keys: 'image' and 'label' are needed. {advice}"
            )
        with file:
            if not {"image", "label"} <= set(file.files):
                raise UserError(
                    f"{path} holds the keys {sorted(file.files)}: 'image' and 'label' are needed. {advice}"
                )
            return file["image"], file["label"]
    except (OSError, ValueError, EOFError, MemoryError, TypeError, zipfile.BadZipFile) as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else f"{error}"
        raise UserError(
            f"{path} can't be read as .npz: {' '.join(reason.split())}. {advice}"
        ) from error
