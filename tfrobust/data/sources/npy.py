"""Data sets from .npy files, whose rows are read as they are needed."""

import os
import pathlib

import numpy as np

from tfrobust.contract import check_labels
from tfrobust.data.base_split import BaseSplit
from tfrobust.data.held_out import make_splits
from tfrobust.data.splits import Splits
from tfrobust.data.stored.mapped_arrays import MappedImages
from tfrobust.data.stored.memory import LIMIT_GIB, check_memory_limit, load_what_fits
from tfrobust.data.stored.split import StoredSplit
from tfrobust.errors import UserError, one_line

_HOW = "Write it with numpy.save(path, array)."


def npy(
    path: str | os.PathLike,
    validation: float = 0.1,
    validation_seed: int = 0,
    num_classes: int | None = None,
    name: str | None = None,
    memory_limit_gib: float = LIMIT_GIB,
) -> Splits:
    """Reads a data set from a folder of .npy files, by memory maps.

    Use it for arrays that do not fit into memory; `npz` reads one file into memory. The files are
    `x_train.npy`, `y_train.npy`, `x_test.npy`, `y_test.npy`, and optionally `x_validation.npy` and
    `y_validation.npy`, which are then used in place of held-out examples, and `class_names.npy`.

    Args:
        path: the folder.
        validation: count, or fraction in (0, 1), of the training examples to hold out, stratified by
            class.
        validation_seed: seed of that choice; it does not depend on the seed of the run.
        num_classes: number of classes; default: the largest training label plus one.
        name: name of the data set; default: that of the folder.
        memory_limit_gib: the images are kept in memory if they take at most so many GiB.

    Returns:
        `Splits`. The ids are positions in the arrays.

    Raises:
        UserError: a file cannot be read, or has another type, shape or range. Pixels of images that stay
            in their file are seen only when they are read.

    Example:
        >>> x, y = np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 2
        >>> for name, array in {"x_train": x, "y_train": y, "x_test": x, "y_test": y}.items():
        ...     np.save(name, array)
        >>> tfrobust.data.npy(".", validation=4, memory_limit_gib=0).train
        StoredSplit(16 images (8, 8, 1) uint8)
    """
    arguments = {
        "path": path,
        "validation": validation,
        "validation_seed": validation_seed,
        "num_classes": num_classes,
        "name": name,
        "memory_limit_gib": memory_limit_gib,
    }
    check_memory_limit(memory_limit_gib)
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder: give one with x_train.npy, y_train.npy, x_test.npy and y_test.npy."
        )
    train, test = (_map_split(folder, split, num_classes) for split in ("train", "test"))
    held_out: float | BaseSplit = validation
    if any((folder / f"{letter}_validation.npy").exists() for letter in "xy"):
        held_out = _map_split(folder, "validation", num_classes)
    names = folder / "class_names.npy"
    splits = make_splits(
        folder.resolve().name if name is None else name,
        train,
        test,
        validation=held_out,
        validation_seed=validation_seed,
        num_classes=num_classes,
        class_names=[str(c) for c in _open(names)] if names.exists() else None,
    )
    return load_what_fits(splits, memory_limit_gib).record_source("npy", **arguments)


def _map_split(folder, split, num_classes):
    images, labels = (_open(folder / f"{letter}_{split}.npy") for letter in "xy")
    labels = check_labels(np.array(labels), f"y_{split}.npy", num_classes)
    if images.ndim != 4 or len(images) != len(labels):
        raise UserError(
            f"x_{split}.npy has the shape {images.shape} and y_{split}.npy has {len(labels)} labels: images "
            "must be (n, height, width, channels), with exactly one label for each."
        )
    reader = MappedImages(images, folder / f"x_{split}.npy")
    return StoredSplit(reader, np.arange(len(labels)), labels)


def _open(path):
    # Opening a pipe would wait for ever.
    if not path.is_file():
        raise UserError(f"{path} does not exist, or is not a regular file. {_HOW}")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = one_line(error)
        if "allow_pickle" in reason or "Python objects" in reason:
            reason = "it is a file of another kind, or holds Python objects, which are never read"
        raise UserError(f"{path} cannot be read as .npy: {reason.rstrip('.')}. {_HOW}") from error
