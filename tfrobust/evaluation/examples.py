"""The images and labels that a classifier is evaluated on."""

import dataclasses
import os
import pathlib

import numpy as np
import tensorflow as tf

from tfrobust import contract, data
from tfrobust.data.sources.arrays import read_npz
from tfrobust.data.splits import Split, Splits
from tfrobust.errors import UserError

SPLITS = ("test", "validation", "train")


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Images, labels, and the places in their source by which noise and results are keyed.

    Args:
        x: float32 (n, h, w, c) in [0, 1].
        y: int (n,).
        ids: int (n,), all different.
        name: of the source, for reports.

    Example:
    >>> examples = tfrobust.evaluation.Examples.of(np.full((3, 8, 8, 1), 255, np.uint8), [0, 1, 2])
    >>> examples.x.dtype.name, float(examples.x.max()), examples.shard(1, 2).ids.tolist()
    ('float32', 1.0, [1])
    """

    x: np.ndarray
    y: np.ndarray
    ids: np.ndarray
    name: str = "arrays"

    @staticmethod
    def of(
        images: np.ndarray, labels: np.ndarray, ids: np.ndarray | None = None, name: str = "arrays"
    ) -> "Examples":
        """Checks images and labels, and makes `Examples` of them.

        Args:
            images: (n, h, w, c), uint8 in 0..255 or float in [0, 1]; values up to 1e-6 outside are clipped.
            labels: integers, (n,).
            ids: integers, (n,), all different; 0, 1, ... if None.
            name: of the source.

        Raises:
            UserError: says which array, which example, what was expected and what to do.
        """
        split = Split(images, labels) if ids is None else Split(images, labels, ids)
        places = np.asarray(split.ids)
        if len(np.unique(places)) < len(split):
            raise UserError("`ids` must all be different: noise and results are keyed by them.")
        return Examples(contract.as_images(split.images).numpy(), split.labels, places, name)

    def shard(self, index: int, count: int) -> "Examples":
        """Every `count`-th example from number `index` on, for one of several processes."""
        if not 0 <= index < count:
            raise UserError(f"A shard is i/n with 0 <= i < n. Received: {index}/{count}.")
        return self._at(np.arange(index, len(self.y), count))

    def first(self, number: int) -> "Examples":
        """The first `number` examples."""
        return self._at(np.arange(min(number, len(self.y))))

    def _at(self, places):
        if not len(places):
            raise UserError(f"No examples are left of the {len(self.y)}: use fewer shards.")
        return Examples(self.x[places], self.y[places], self.ids[places], self.name)


def as_examples(given: Examples | tuple | tf.data.Dataset) -> Examples:
    """`Examples` of whatever a caller of `evaluate` has.

    Args:
        given: `Examples`; a pair of images and labels; or a batched, finite `tf.data.Dataset` of pairs, or
            of (images, labels, weights) whose weights are 1, or 0 for examples that do not count.

    Raises:
        UserError: for anything else, and for what `Examples.of` refuses.
    """
    if isinstance(given, Examples):
        return given
    if isinstance(given, tf.data.Dataset):
        return _of_dataset(contract.as_pairs(given))
    if isinstance(given, (tuple, list)) and len(given) == 2:
        return Examples.of(*given)
    raise UserError(
        "`examples` must be a pair of images and labels, a batched tf.data.Dataset of such pairs, or "
        f"`Examples`. Received: {type(given).__name__}."
    )


def _of_dataset(dataset):
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError(
            "An evaluation needs a finite data set. Leave out `repeat`, or `take` some batches."
        )
    parts = [[np.asarray(part) for part in batch] for batch in dataset]
    if not parts:
        raise UserError("The data set is empty. Give at least one image.")
    images, labels, *weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    if weights:
        (kept,) = weights
        if not np.isin(kept, (0, 1)).all():
            raise UserError(
                "An evaluation counts examples: weights must be 0 or 1. Received: weights from "
                f"{kept.min():g} to {kept.max():g}."
            )
        images, labels = images[kept > 0], labels[kept > 0]
    return Examples.of(images, labels, name="data set")


def load_examples(source: Splits | str | os.PathLike, split: str = "test") -> Examples:
    """Loads examples by name.

    Args:
        source: `data.Splits`; "digits"; the name of a TFDS set that is prepared (see
            `data.tfds_images`); or the path of an .npz file with `x_test` and `y_test` (or
            `images` and `labels`).
        split: "test", "validation" or "train".

    Returns:
        `Examples`.

    Raises:
        UserError: there is no such source or split.

    Example:
    >>> digits = tfrobust.evaluation.load_examples("digits")
    >>> digits.x.shape, digits.name
    ((360, 8, 8, 1), 'digits test')
    """
    if split not in SPLITS:
        raise UserError(f"`split` must be one of {SPLITS}. Received: {split!r}.")
    if isinstance(source, Splits):
        chosen = getattr(source, split).load()
        return Examples.of(chosen.images, chosen.labels, chosen.ids, f"{source.info.name} {split}")
    if source == "digits":
        return load_examples(data.digits(), split)
    if str(source).endswith(".npz"):
        return _of_file(pathlib.Path(source), split)
    return load_examples(data.tfds_images(str(source)), split)


def _of_file(path, split):
    arrays = read_npz(path)
    for images, labels in ((f"x_{split}", f"y_{split}"), ("images", "labels")):
        if images in arrays and labels in arrays:
            ids = arrays.get("ids")
            return Examples.of(arrays[images], arrays[labels], ids, f"{path.name} {split}")
    raise UserError(
        f"{path} holds {sorted(arrays)}: 'x_{split}' and 'y_{split}', or 'images' and 'labels', are needed."
    )
