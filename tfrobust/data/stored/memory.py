"""Choosing by size which splits are loaded into memory, and which are read as they are needed."""

import dataclasses

import numpy as np

from tfrobust.data.splits import Splits
from tfrobust.data.stored.crops import CenterCrop, Crop
from tfrobust.data.stored.split import StoredSplit
from tfrobust.errors import UserError
from tfrobust.ops.numbers import number

LIMIT_GIB = 8.0


def check_memory_limit(memory_limit_gib: float) -> float:
    """Returns the limit, a finite number of at least 0, or raises `UserError`."""
    return number(memory_limit_gib, "memory_limit_gib", 0.0)


def load_what_fits(
    splits: Splits, memory_limit_gib: float, train_crop: Crop | None = None
) -> Splits:
    """Loads the splits of a data set into memory if all of them fit; otherwise none is loaded.

    A training split with random crops stays where it is, since each epoch needs the whole pictures; the
    others are loaded if these fit.

    Args:
        splits: `Splits` of `StoredSplit`s, which evaluation sees as they are.
        memory_limit_gib: the most that decoded images may take, in GiB; 0 keeps everything where it is.
        train_crop: the part of a picture that training sees, or None for that of evaluation.

    Returns:
        `Splits`.
    """
    found = {name: getattr(splits, name) for name in ("train", "validation", "test")}
    if train_crop is not None:
        found["train"] = found["train"].with_crop(train_crop)
    drawn = [name for name, split in found.items() if _draws(split)]
    size = sum(split.nbytes for name, split in found.items() if name not in drawn) / 2**30
    for name, split in found.items():
        if not isinstance(split, StoredSplit):
            continue
        if name in drawn:
            reason = "random crops need the whole pictures"
            found[name] = dataclasses.replace(split, reason=reason)
        elif size <= memory_limit_gib:
            found[name] = split.load()
        else:
            reason = f"{size:.3g} GiB decoded, memory_limit_gib={memory_limit_gib:g}"
            found[name] = dataclasses.replace(split, reason=reason)
    return dataclasses.replace(splits, **found)


def check_crop(name: str, crop: Crop | None, size: tuple[int, int] | None) -> None:
    """Raises `UserError` unless `crop` is None or a crop out of which an image of `size` can be cut.

    A size that is not known yet is None.
    """
    if crop is None:
        return
    if not isinstance(crop, Crop):
        raise UserError(
            f"`{name}` must be a crop such as data.RandomResizedCrop() or data.CenterCrop(resize=256), or "
            f"None. Received: {crop!r}."
        )
    if name == "test_crop" and not isinstance(crop, CenterCrop):
        raise UserError(
            f"`test_crop` must be a data.CenterCrop: evaluation draws nothing. Received: {crop!r}."
        )
    if size is not None:
        crop.check_size(size)


def _draws(split):
    return isinstance(split, StoredSplit) and bool(split.reader.words)


def count_gib(count: int, shape: tuple[int, ...]) -> float:
    """GiB of `count` uint8 images of a shape."""
    return count * float(np.prod(shape, dtype=float)) / 2**30
