"""Data sets from a CSV file that lists pictures, each with its class."""

import csv
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfrobust.data.base_split import BaseSplit
from tfrobust.data.held_out import hold_out, make_splits
from tfrobust.data.sources.image_folder import TEST_SEED, check_file, check_pictures
from tfrobust.data.splits import Splits
from tfrobust.data.stored.crops import Crop
from tfrobust.data.stored.image_files import ImageFiles
from tfrobust.data.stored.image_shape import choose_image_shape
from tfrobust.data.stored.memory import LIMIT_GIB, load_what_fits
from tfrobust.data.stored.split import StoredSplit
from tfrobust.errors import UserError, one_line
from tfrobust.split_folders import SPLITS, spell_split

ListedLines = tuple[Sequence[str], Sequence[str], np.ndarray | None]
_HOW = (
    "The file needs a first line `path,label` or `path,label,split`, and a line for each picture."
)


def image_list(
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
    r"""Reads the pictures that a CSV file lists.

    Use it for pictures that are not sorted into folders of classes. The file has the columns `path`,
    relative to its own folder or absolute, and `label`: the name of a class, or in all lines an integer
    from 0. A third column, `split`, says "train", "validation" (or "val") or "test"; without it the test
    split is held out, always the same one for the same list, and without lines of "validation" so is the
    validation split.

    Pictures that do not fit into memory are read from their files when a batch needs them, to the same
    images in the same order.

    Args:
        path: the CSV file, UTF-8.
        image_size, channels, validation, validation_seed, name: as for `image_folder`.
        test: count or fraction of all examples to hold out as test split, if the file has no column
            `split`; default 0.2.
        memory_limit_gib, train_crop, test_crop: as for `image_folder`.

    Returns:
        `Splits` of uint8 images. The ids are the numbers of the lines below the first, from 0.

    Raises:
        UserError: an argument is out of range, the file has other columns or values, or a picture is not
            there. Of pictures that stay in their files the content is seen only when they are read, but for
            the first of each class.

    Example:
        >>> import pathlib
        >>> from PIL import Image
        >>> lines = ["path,label"]
        >>> for n in range(12):
        ...     Image.fromarray(np.full((8, 8, 3), 20 * n, np.uint8)).save(f"{n}.png")
        ...     lines.append(f"{n}.png,{'light' if n > 5 else 'dark'}")
        >>> _ = pathlib.Path("pictures.csv").write_text("\n".join(lines))
        >>> splits = tfrobust.data.image_list("pictures.csv", image_size=8, validation=2, test=4)
        >>> splits.train, splits.info.class_names
        (Split(6 images (8, 8, 3) uint8), ('dark', 'light'))
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
    paths, labels, parts = read_list(path)
    if parts is not None and test is not None:
        raise UserError(
            f"{path} has a column `split`, so `test`={test!r} would have no effect: leave it out."
        )
    class_names, numbers = _number_classes(path, labels)
    sizes = [check_listed(path, line, one) for line, one in enumerate(paths, 2)]
    size, channels = choose_image_shape(
        [str(path.parent / one) for one in paths], image_size, channels
    )
    arguments |= {"image_size": size if image_size is None else image_size, "channels": channels}
    reader = ImageFiles(path.parent, paths, sizes, size, channels, test_crop)
    reader.check_first(numbers)
    listed = StoredSplit(reader, np.arange(len(paths)), numbers)
    held_out: float | BaseSplit = validation
    if parts is None:
        train, test_split = hold_out(listed, 0.2 if test is None else test, TEST_SEED, "test")
    else:
        train, test_split = listed.take(parts == "train"), listed.take(parts == "test")
        if (parts == "validation").any():
            held_out = listed.take(parts == "validation")
    splits = make_splits(
        path.stem if name is None else name,
        train,
        test_split,
        validation=held_out,
        validation_seed=validation_seed,
        class_names=class_names,
    )
    splits = load_what_fits(splits, memory_limit_gib, train_crop)
    return splits.record_source("image_list", **arguments)


def read_list(path: pathlib.Path, needed: Sequence[str] = ("train", "test")) -> ListedLines:
    """Paths, labels and, if there are any, splits: what the lines say.

    Args:
        path: the CSV file.
        needed: splits of which there must be lines, if there are any splits.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is not a regular file. Give the path of a CSV file.")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header, *rows = csv.reader(file, strict=True)
            while rows and not rows[-1]:  # blank lines at the end
                rows.pop()
    except ValueError as error:
        reason = "it is empty" if "unpack" in str(error) else one_line(error).rstrip(".")
        raise UserError(f"{path} cannot be read as CSV: {reason}. {_HOW}") from error
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or one_line(error).rstrip(".")
        raise UserError(f"{path} cannot be read as CSV: {reason}. {_HOW}") from error
    if sorted(header) not in (["label", "path"], ["label", "path", "split"]):
        raise UserError(f"{path} has the columns {header}. {_HOW} Rename or remove the others.")
    for line, row in enumerate(rows, 2):
        if len(row) != len(header) or not all(row):
            raise UserError(
                f"Line {line} of {path} has the values {row}: one is needed for each of {header}. Correct it."
            )
    if not rows:
        raise UserError(f"{path} lists no pictures. {_HOW}")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    _check_twice(path, columns["path"])
    parts = np.array([*map(spell_split, columns["split"])]) if "split" in columns else None
    if parts is not None:
        _check_parts(path, parts, needed)
    return columns["path"], columns["label"], parts


def _check_twice(path, paths):
    first = {}
    for line, one in enumerate(paths, 2):
        if first.setdefault(one, line) != line:
            raise UserError(
                f"{path} lists {one} twice, in lines {first[one]} and {line}, which could bring it into two "
                "splits. Remove one of the lines."
            )


def _check_parts(path, parts, needed):
    other = np.flatnonzero(~np.isin(parts, SPLITS))
    if len(other):
        raise UserError(
            f"Line {other[0] + 2} of {path} has the split {str(parts[other[0]])!r}: it must be one of "
            f"{SPLITS}."
        )
    for split in needed:
        if not (parts == split).any():
            every = " and ".join(map(repr, needed))
            raise UserError(
                f"{path} has a column `split`, and no line of {split!r}: lines of {every} are needed."
            )


def _number_classes(path, labels):
    """Names of the classes, and the number of each label."""
    if all(label.isdecimal() for label in labels):
        numbers = np.array(labels, np.int64)
        missing = np.setdiff1d(np.arange(numbers.max() + 1), numbers)
        if len(missing):
            raise UserError(
                f"The labels of {path} are numbers up to {numbers.max()}, and no picture has the label "
                f"{missing[0]}: number the classes 0, 1, ... without gaps."
            )
        return [str(number) for number in range(numbers.max() + 1)], numbers
    if all(label.removeprefix("-").isdecimal() for label in labels):
        line = next(n for n, label in enumerate(labels, 2) if label.startswith("-"))
        raise UserError(
            f"Line {line} of {path} has the label {labels[line - 2]}: labels are names of classes, or "
            "integers from 0. Number the classes 0, 1, ..."
        )
    names, numbers = np.unique(labels, return_inverse=True)
    return [str(name) for name in names], numbers


def check_listed(path: pathlib.Path, line: int, listed: str) -> int:
    """The bytes of a listed picture; raises `UserError` if it is not there."""
    file = path.parent / listed
    if not os.path.lexists(file):
        raise UserError(
            f"Line {line} of {path} lists {listed}, and there is no {file}: paths are relative to the folder "
            "of the list. Correct the path, or put the picture there."
        )
    return check_file(file)
