"""Data sets from folders of image files, one folder per class."""

import os
import pathlib
import warnings

import numpy as np
from PIL import Image

from tfrobust.data.held_out import hold_out, make_splits
from tfrobust.data.resize import check_image_size, cover
from tfrobust.data.splits import Split
from tfrobust.errors import UserError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
# By content, whatever a file is called: other decoders start programs or are little looked after.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
# A small file may declare any size; these take 200 MB when decoded.
MOST_PIXELS = 2**26
TEST_SEED = 0


def image_folder(
    path, image_size, channels=3, validation=0.1, validation_seed=0, test=None, name=None
):
    """Reads a folder of images by class; the names of the classes are those of the folders, sorted.

    Either `path/train/<class>/*` and `path/test/<class>/*` (and, if wanted,
    `path/validation/<class>/*`, which is then used in place of held-out examples), or one tree
    `path/<class>/*`, out of which the test split is cut, always the same one for the same files.

    Args:
        path: the folder.
        image_size: integer or (height, width); images are cut centrally to that proportion and
            resized.
        channels: 3 (RGB) or 1 (luminance). Transparency is dropped.
        validation: count or fraction of the training examples to hold out, stratified by class.
        validation_seed: seed of that choice; not the run's seed.
        test: count or fraction to cut off as test split from a tree without train and test folders;
            default 0.2.
        name: name of the data set; default: that of the folder.

    Returns:
        `Splits` of uint8 images. The ids are places in the sorted list of files.

    Raises:
        UserError: names the file or folder that can't be used.
    """
    arguments = {
        "path": path,
        "image_size": image_size,
        "channels": channels,
        "validation": validation,
        "validation_seed": validation_seed,
        "test": test,
        "name": name,
    }
    size = check_image_size(image_size)
    if channels not in (1, 3):
        raise UserError(f"`channels` must be 1 (luminance) or 3 (RGB). Received: {channels!r}.")
    path = pathlib.Path(path)
    if not path.is_dir():
        raise UserError(
            f"{path} is not a folder: give one that holds a folder of images per class."
        )
    is_cut = (path / "train").is_dir() or (path / "test").is_dir()
    if is_cut and test is not None:
        raise UserError(
            f"{path} has train and test folders, so `test`={test!r} has no use: leave it out."
        )
    root = path / "train" if is_cut else path
    classes = _classes(root)
    read = lambda folder: _read(folder, classes, size, channels)  # noqa: E731
    train = read(root)
    if is_cut:
        test_split = read(path / "test")
        if (path / "validation").is_dir():
            validation = read(path / "validation")
    else:
        train, test_split = hold_out(train, 0.2 if test is None else test, TEST_SEED, "test")
    splits = make_splits(
        path.resolve().name if name is None else name,
        train,
        test_split,
        validation=validation,
        validation_seed=validation_seed,
        class_names=classes,
    )
    return splits.read_by("image_folder", **arguments)


def _classes(root):
    if not root.is_dir():
        raise UserError(
            f"{root} does not exist: a data set with a test folder needs a train folder."
        )
    classes = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(classes) < 2:
        raise UserError(
            f"{root} holds the class folders {classes}: at least two classes are needed."
        )
    return classes


def _read(root, classes, size, channels):
    if not root.is_dir():
        raise UserError(
            f"{root} does not exist: a data set with a train folder needs a test folder."
        )
    strangers = sorted(set(_classes(root)) - set(classes))
    if strangers:
        raise UserError(
            f"{root} has the class folder {strangers[0]!r}, which the training folder has not: "
            f"its classes are {classes}. Add training images of it or remove it."
        )
    files = [(label, f) for label, c in enumerate(classes) for f in _files(root / c)]
    if not files:
        raise UserError(f"{root} holds no images: put some into its class folders.")
    images = np.empty((len(files), *size, channels), np.uint8)
    for place, (_, file) in enumerate(files):
        images[place] = _image(file, size, channels)
    return Split(images, np.array([label for label, _ in files]))


def _files(folder):
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [f for f in files if not f.name.startswith(".")]
    for file in files:
        if file.exists() and not file.is_dir() and not file.is_file():
            raise UserError(f"{file} is no regular file, and is not opened. Remove it.")
        if not file.is_file() or file.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"{file} is no image file: class folders may hold {', '.join(SUFFIXES)} only. "
                "Convert it or move it elsewhere."
            )
    return files


def _image(file, size, channels):
    try:
        with warnings.catch_warnings():
            # Pillow only warns of what is refused here.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(file, formats=FORMATS)
        with opened as image:
            if image.width * image.height > MOST_PIXELS:
                raise OSError(
                    f"it has {image.width} x {image.height} pixels, more than {MOST_PIXELS} in all"
                )
            if image.mode in ("I", "F") or image.mode.startswith("I;"):
                raise OSError(f"its pixels are of mode {image.mode}, more than 8 bits")
            pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).replace(os.fspath(file), "it").split())
        raise UserError(
            f"{file} can't be read as an image ({', '.join(FORMATS)}, by content): {reason}. Repair it, "
            "convert it to 8-bit PNG, or remove it."
        ) from error
    return cover(pixels.reshape(*pixels.shape[:2], channels), size)
