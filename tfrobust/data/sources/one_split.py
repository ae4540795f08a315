"""One split of pictures, with the names of its classes: what is evaluated, and not trained on."""

import os
import pathlib

import numpy as np

from tfrobust.data.sources.image_folder import list_classes, list_pictures, make_split
from tfrobust.data.sources.image_list import check_listed, read_list
from tfrobust.data.stored.crops import Crop
from tfrobust.data.stored.image_files import ImageFiles
from tfrobust.data.stored.image_shape import choose_image_shape
from tfrobust.data.stored.split import StoredSplit
from tfrobust.errors import UserError
from tfrobust.split_folders import find_split_folders


def read_pictures(
    path: str | os.PathLike,
    split: str,
    image_size: tuple[int, int] | None,
    channels: int | None,
    crop: Crop | None = None,
) -> tuple[StoredSplit, list[str]]:
    """Reads the pictures of one split of a folder, or of a CSV file, as images of one size.

    Use it for the examples of an evaluation. A folder has `path/<split>/<class>/*`, or `path/<class>/*`, of
    which all pictures belong to the split; lines of a file without a column `split` likewise.

    Args:
        path: the folder, or the file.
        split: "test", "validation" or "train".
        image_size, channels: of the images, or None, as for `image_folder`.
        crop: the part of a picture that is seen; None for the largest.

    Returns:
        (split, names of the classes). The labels are places in these names.

    Raises:
        UserError: there are no such pictures, or one cannot be read.

    Example:
        >>> import pathlib
        >>> from PIL import Image
        >>> pathlib.Path("pets/dog").mkdir(parents=True)
        >>> Image.new("RGB", (9, 12)).save("pets/dog/a.png")
        >>> from tfrobust.data.sources.one_split import read_pictures
        >>> read_pictures("pets", "test", (8, 8), 3)
        (StoredSplit(1 images (8, 8, 3) uint8), ['dog'])
    """
    path = pathlib.Path(path)
    return (_read_folder if path.is_dir() else _read_list)(path, split, image_size, channels, crop)


def _read_folder(path, split, image_size, channels, crop):
    folders = find_split_folders(path)
    root = folders.get(split) if folders else path
    if root is None:
        raise UserError(
            f"{path} has the folders {sorted(folder.name for folder in folders.values())}, and none of the "
            f"{split} split. Choose another split, or give one of these folders itself."
        )
    classes = list_classes(root, 1)
    listed = list_pictures(root, classes, 1)
    paths = [str(root / name) for name in listed.names]
    size, channels = choose_image_shape(paths, image_size, channels)
    return make_split(listed, size, channels, crop), classes


def _read_list(path, split, image_size, channels, crop):
    listed, labels, parts = read_list(path, (split,))
    kept = [n for n in range(len(listed)) if parts is None or parts[n] == split]
    sizes = [check_listed(path, n + 2, listed[n]) for n in kept]
    names = [listed[n] for n in kept]
    paths = [str(path.parent / name) for name in names]
    size, channels = choose_image_shape(paths, image_size, channels)
    classes, numbers = np.unique([labels[n] for n in kept], return_inverse=True)
    reader = ImageFiles(path.parent, names, sizes, size, channels, crop)
    reader.check_first(numbers)
    return StoredSplit(reader, np.arange(len(names)), numbers), [str(name) for name in classes]
