"""Data sets from folders of image files, one folder per class."""

import os
import pathlib
from stat import S_ISREG
from typing import NamedTuple

import numpy as np

from tfrobust.data.held_out import hold_out, make_splits
from tfrobust.data.splits import Splits
from tfrobust.data.stored.crops import Crop
from tfrobust.data.stored.image_files import ImageFiles
from tfrobust.data.stored.image_shape import check_image_shape, choose_image_shape
from tfrobust.data.stored.memory import (
    LIMIT_GIB,
    check_crop,
    check_memory_limit,
    load_what_fits,
)
from tfrobust.data.stored.split import StoredSplit
from tfrobust.errors import UserError
from tfrobust.split_folders import find_split_folders, is_ignored, list_folders

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
TEST_SEED = 0


def image_folder(
    path: str | os.PathLike,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = 3,
    validation: float = 0.1,
    validation_seed: int = 0,
    test: float | None = None,
    name: str | None = None,
    memory_limit_gib: float = LIMIT_GIB,
    train_crop: Crop | None = None,
    test_crop: Crop | None = None,
) -> Splits:
    """Reads a folder that has one folder of images for each class.

    Use it for your own pictures. The folder has either `path/train/<class>/*` and `path/test/<class>/*`,
    and optionally `path/validation/<class>/*` (or `val`), which is then used instead of held-out examples; or
    `path/<class>/*`, from which the test split is held out, always the same one for the same files. The
    classes are in the order of their names, or of the numbers that all names are.

    Pictures that do not fit into memory are read from their files when a batch needs them, to the same
    images in the same order.

    Args:
        path: the folder.
        image_size: integer or (height, width); images are cropped centrally to this aspect ratio and
            resized. None keeps the size of pictures that all have the same, up to 64 by 64; others become
            squares of the median of their shorter sides, a multiple of 8 from 8 to 64.
        channels: 3 (RGB) or 1 (luminance); None for 1 if all pictures are grey, else 3. Transparency is
            dropped.
        validation: count, or fraction in (0, 1), of the training examples to hold out, stratified by
            class.
        validation_seed: seed of that choice; it does not depend on the seed of the run.
        test: count or fraction of all examples to hold out as test split, if there are no train and
            test folders; default 0.2.
        name: name of the data set; default: that of the folder.
        memory_limit_gib: the images are kept in memory if they take at most so many GiB, decoded.
        train_crop: the part of a picture that training sees, such as `RandomResizedCrop`; None for that of
            evaluation. With a random crop the training pictures are always read from their files.
        test_crop: the part of a picture that validation and test see, a `CenterCrop`; None for the largest.

    Returns:
        `Splits` of uint8 images. The ids are positions in the sorted list of files.

    Raises:
        UserError: an argument is out of range, or a file or folder cannot be used. Of pictures that stay
            in their files the content is seen only when they are read, but for the first of each class.

    Example:
        >>> import pathlib
        >>> from PIL import Image
        >>> for c in ("cat", "dog"):
        ...     pathlib.Path("pets", c).mkdir(parents=True)
        ...     for level in range(10):
        ...         image = np.full((9, 12, 3), 10 * level, np.uint8)
        ...         Image.fromarray(image).save(f"pets/{c}/{level}.png")
        >>> splits = tfrobust.data.image_folder("pets", image_size=8, validation=4, test=4)
        >>> splits.train, splits.info.class_names
        (Split(12 images (8, 8, 3) uint8), ('cat', 'dog'))
    """
    arguments = {
        "path": path,
        "image_size": image_size,
        "channels": channels,
        "validation": validation,
        "validation_seed": validation_seed,
        "test": test,
        "name": name,
        "memory_limit_gib": memory_limit_gib,
        "train_crop": train_crop,
        "test_crop": test_crop,
    }
    check_pictures(image_size, channels, memory_limit_gib, train_crop, test_crop)
    path = pathlib.Path(path)
    if not path.is_dir():
        raise UserError(
            f"{path} is not a folder: give one that has a folder of images for each class."
        )
    folders = find_split_folders(path)
    if folders and test is not None:
        raise UserError(
            f"{path} has train and test folders, so `test`={test!r} would have no effect: leave it out."
        )
    root = path / "train" if folders else path
    classes = list_classes(root)
    listed = list_pictures(root, classes)
    _check_every_class(listed, classes)
    size, channels = choose_image_shape(
        [str(root / name) for name in listed.names], image_size, channels
    )
    arguments |= {"image_size": size if image_size is None else image_size, "channels": channels}

    def read(pictures):
        return make_split(pictures, size, channels, test_crop)

    train, held_out = read(listed), validation
    if folders:
        test_split = read(list_pictures(path / "test", classes))
        if "validation" in folders:
            held_out = read(list_pictures(folders["validation"], classes))
    else:
        train, test_split = hold_out(train, 0.2 if test is None else test, TEST_SEED, "test")
    splits = make_splits(
        path.resolve().name if name is None else name,
        train,
        test_split,
        validation=held_out,
        validation_seed=validation_seed,
        class_names=classes,
    )
    splits = load_what_fits(splits, memory_limit_gib, train_crop)
    return splits.record_source("image_folder", **arguments)


def check_pictures(
    image_size: int | tuple[int, int] | None,
    channels: int | None,
    memory_limit_gib: float,
    train_crop: Crop | None,
    test_crop: Crop | None,
) -> None:
    """Raises `UserError` for settings that no data set of pictures can have."""
    size = check_image_shape(image_size, channels)
    check_memory_limit(memory_limit_gib)
    check_crop("train_crop", train_crop, size)
    check_crop("test_crop", test_crop, size)


def list_classes(root: pathlib.Path, least: int = 2) -> list[str]:
    """The names of a folder's folders, sorted; raises `UserError` if there are fewer than `least`."""
    if not root.is_dir():
        raise UserError(
            f"{root} does not exist: a data set with a test folder needs a train folder."
        )
    classes = list_folders(root)
    if len(classes) < least:
        needed = "at least two classes are" if least == 2 else "a folder for each class is"
        raise UserError(
            f"{root} has the class folders {classes}: {needed} needed. Put the pictures of each class into a "
            f"folder named after it, such as {root / 'cat'}; or list them in a CSV file (data.image_list)."
        )
    return classes


def _check_every_class(listed, classes):
    for label, name in enumerate(classes):
        if not (listed.labels == label).any():
            raise UserError(
                f"{listed.root / name} holds no pictures: each of the classes {classes} needs some to train "
                "on. Put them there, or remove the folder."
            )


class Listed(NamedTuple):
    """The pictures of a split: paths relative to a folder, sizes in bytes, labels."""

    root: pathlib.Path
    names: list[str]
    sizes: list[int]
    labels: np.ndarray


def list_pictures(root: pathlib.Path, classes: list[str], least: int = 2) -> Listed:
    """The pictures in a folder's class folders, at least so many, of which there may be no others."""
    if not root.is_dir():
        raise UserError(
            f"{root} does not exist: a data set with a train folder needs a test folder. Make one; or give a "
            "folder of the classes themselves, of which a part is held out as test split."
        )
    unknown = sorted(set(list_classes(root, least)) - set(classes))
    if unknown:
        raise UserError(
            f"{root} has the class folder {unknown[0]!r}, but the classes of the training folder are "
            f"{classes}. Add training images of this class, or remove it."
        )
    found = [_list_files(root / c) for c in classes]
    labels = np.repeat(np.arange(len(classes)), [len(files) for files in found])
    if not len(labels):
        raise UserError(f"{root} has no images: put some into its class folders.")
    names = [f"{c}/{name}" for c, files in zip(classes, found, strict=True) for name, _ in files]
    sizes = [bytes_ for files in found for _, bytes_ in files]
    return Listed(root, names, sizes, labels)


def make_split(
    listed: Listed, size: tuple[int, int], channels: int, crop: Crop | None
) -> StoredSplit:
    """A split that reads listed pictures; the first of each class is looked at."""
    reader = ImageFiles(listed.root, listed.names, listed.sizes, size, channels, crop)
    reader.check_first(listed.labels)
    return StoredSplit(reader, np.arange(len(reader)), listed.labels)


def _list_files(folder):
    """Names and sizes in bytes of the pictures in a folder, sorted by name."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not is_ignored(entry.name))
    return [(name, check_file(folder / name)) for name in names]


def check_file(path: pathlib.Path) -> int:
    """Returns the bytes of a picture's file, or raises `UserError` if it is none by its kind and name."""
    try:
        found = os.stat(path)
    except OSError:
        found = None
    if found is not None and not S_ISREG(found.st_mode) and not path.is_dir():
        raise UserError(f"{path} is not a regular file, and is not opened. Remove it.")
    if path.is_dir():
        raise UserError(
            f"{path} is a folder where pictures are expected, and is not looked into. Move its pictures one "
            "folder up, and remove it."
        )
    if found is None or path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path} is not an image: class folders may only have {', '.join(SUFFIXES)}. "
            "Convert it, or move it elsewhere."
        )
    if not found.st_size:
        raise UserError(f"{path} is empty. Put the picture back, or remove the file.")
    return found.st_size
