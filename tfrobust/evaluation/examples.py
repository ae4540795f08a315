"""The images and labels that an evaluation is made on."""

import dataclasses
import pathlib
import zipfile

import numpy as np

from tfrobust import data
from tfrobust.data.splits import Split, Splits
from tfrobust.errors import UserError

SPLITS = ("test", "validation", "train")
# Rounding of an undone normalisation is forgiven.
_SLACK = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Images, labels, and the places in their source by which noise and results are keyed.

    Args:
        x: float32 (n, h, w, c) in [0, 1].
        y: int (n,).
        ids: int (n,), all different.
        name: of the source, for reports.
    """

    x: np.ndarray
    y: np.ndarray
    ids: np.ndarray
    name: str = "arrays"

    @staticmethod
    def of(images, labels, ids=None, name="arrays"):
        """Checked examples.

        Args:
            images: (n, h, w, c), uint8 in 0..255 or float in [0, 1]; excess of up to 1e-6 is cut off.
            labels: integers, (n,).
            ids: integers, (n,), all different; 0, 1, ... if None.
            name: of the source.

        Raises:
            UserError: says which array, which example, what was expected and what to do.
        """
        images = np.asarray(images)
        if np.issubdtype(images.dtype, np.floating) and images.size:
            low, high = images.min(), images.max()
            if -_SLACK <= low and high <= 1 + _SLACK:
                images = np.clip(images, 0.0, 1.0)
        split = Split(images, labels, ids)
        if len(np.unique(split.ids)) < len(split):
            raise UserError("`ids` must all be different: noise and results are keyed by them.")
        x = split.images
        if x.dtype == np.uint8:
            x = x.astype(np.float32) / np.float32(255)
        return Examples(x, split.labels, split.ids, name)

    def shard(self, index, count):
        """Every `count`-th example from number `index` on, for one of several processes."""
        if not 0 <= index < count:
            raise UserError(f"A shard is i/n with 0 <= i < n. Received: {index}/{count}.")
        return self._at(np.arange(index, len(self.y), count))

    def first(self, number):
        """The first `number` examples."""
        return self._at(np.arange(min(number, len(self.y))))

    def _at(self, places):
        if not len(places):
            raise UserError(f"No examples are left of the {len(self.y)}: use fewer shards.")
        return Examples(self.x[places], self.y[places], self.ids[places], self.name)


def load_examples(source, split="test"):
    """Examples by name.

    Args:
        source: `data.Splits`; "digits"; the name of a TFDS set that is prepared (see
            `data.tfds_images`); or the path of an .npz file with `x_test` and `y_test` (or
            `images` and `labels`).
        split: "test", "validation" or "train".

    Returns:
        `Examples`.

    Raises:
        UserError: there is no such source or split.
    """
    if split not in SPLITS:
        raise UserError(f"`split` must be one of {SPLITS}. Received: {split!r}.")
    if isinstance(source, Splits):
        chosen = getattr(source, split)
        return Examples.of(chosen.images, chosen.labels, chosen.ids, f"{source.info.name} {split}")
    if source == "digits":
        return load_examples(data.digits(), split)
    if str(source).endswith(".npz"):
        return _of_file(pathlib.Path(source), split)
    return load_examples(data.tfds_images(source), split)


def _of_file(path, split):
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} cannot be read as .npz: {' '.join(str(error).split())}."
        ) from error
    for images, labels in ((f"x_{split}", f"y_{split}"), ("images", "labels")):
        if images in arrays and labels in arrays:
            ids = arrays.get("ids")
            return Examples.of(arrays[images], arrays[labels], ids, f"{path.name} {split}")
    raise UserError(
        f"{path} holds {sorted(arrays)}: 'x_{split}' and 'y_{split}', or 'images' and 'labels', are needed."
    )
