"""Data sets from folders of image files, one folder per class."""

import os
import pathlib
import warnings

import numpy as np
from PIL import Image

from tfrobust.data.held_out import hold_out, make_splits
from tfrobust.data.resize import check_image_size, crop_and_resize
from tfrobust.data.splits import Split, Splits
from tfrobust.errors import UserError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
# Checked by content, whatever the name of a file: decoders of other formats start programs, or are not
# well maintained.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
# A small file can claim any size; this many pixels take 200 MB when decoded.
MOST_PIXELS = 2**26
TEST_SEED = 0


def image_folder(
    path: str | os.PathLike,
    image_size: int | tuple[int, int],
    channels: int = 3,
    validation: float = 0.1,
    validation_seed: int = 0,
    test: float | None = None,
    name: str | None = None,
) -> Splits:
    """Reads a folder that has one folder of images for each class.

    Use it for your own pictures. The folder has either `path/train/<class>/*` and
    `path/test/<class>/*`, and optionally `path/validation/<class>/*`, which is then used instead of
    held-out examples; or `path/<class>/*`, from which the test split is held out, always the same one
    for the same files. The classes are numbered in the order of their sorted names.

    Args:
        path: the folder.
        image_size: integer or (height, width); images are cropped centrally to this aspect ratio and
            resized.
        channels: 3 (RGB) or 1 (luminance). Transparency is dropped.
        validation: count, or fraction in (0, 1), of the training examples to hold out, stratified by
            class.
        validation_seed: seed of that choice; it does not depend on the seed of the run.
        test: count or fraction of all examples to hold out as test split, if there are no train and
            test folders; default 0.2.
        name: name of the data set; default: that of the folder.

    Returns:
        `Splits` of uint8 images. The ids are positions in the sorted list of files.

    Raises:
        UserError: an argument is out of range, or a file or folder cannot be used.

    Example:
        >>> import pathlib
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
    }
    size = check_image_size(image_size)
    if channels not in (1, 3):
        raise UserError(f"`channels` must be 1 (luminance) or 3 (RGB). Received: {channels!r}.")
    path = pathlib.Path(path)
    if not path.is_dir():
        raise UserError(
            f"{path} is not a folder: give one that has a folder of images for each class."
        )
    is_cut = (path / "train").is_dir() or (path / "test").is_dir()
    if is_cut and test is not None:
        raise UserError(
            f"{path} has train and test folders, so `test`={test!r} would have no effect: leave it out."
        )
    root = path / "train" if is_cut else path
    classes = _list_classes(root)

    def read(folder):
        return _read_split(folder, classes, size, channels)

    train, held_out = read(root), validation
    if is_cut:
        test_split = read(path / "test")
        if (path / "validation").is_dir():
            held_out = read(path / "validation")
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
    return splits.record_source("image_folder", **arguments)


def _list_classes(root):
    if not root.is_dir():
        raise UserError(
            f"{root} does not exist: a data set with a test folder needs a train folder."
        )
    classes = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(classes) < 2:
        raise UserError(f"{root} has the class folders {classes}: at least two classes are needed.")
    return classes


def _read_split(root, classes, size, channels):
    if not root.is_dir():
        raise UserError(
            f"{root} does not exist: a data set with a train folder needs a test folder."
        )
    unknown = sorted(set(_list_classes(root)) - set(classes))
    if unknown:
        raise UserError(
            f"{root} has the class folder {unknown[0]!r}, but the classes of the training folder are "
            f"{classes}. Add training images of this class, or remove it."
        )
    files = [(label, f) for label, c in enumerate(classes) for f in _list_files(root / c)]
    if not files:
        raise UserError(f"{root} has no images: put some into its class folders.")
    images = np.empty((len(files), *size, channels), np.uint8)
    for place, (_, file) in enumerate(files):
        images[place] = _read_image(file, size, channels)
    return Split(images, np.array([label for label, _ in files]))


def _list_files(folder):
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [f for f in files if not f.name.startswith(".")]
    for file in files:
        if file.exists() and not file.is_dir() and not file.is_file():
            raise UserError(f"{file} is not a regular file, and is not opened. Remove it.")
        if not file.is_file() or file.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"{file} is not an image: class folders may only have {', '.join(SUFFIXES)}. "
                "Convert it, or move it elsewhere."
            )
    return files


def _read_image(file, size, channels):
    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes that are errors here.
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
            f"{file} cannot be read as an image ({', '.join(FORMATS)}, by content): {reason}. Repair it, "
            "convert it to 8-bit PNG, or remove it."
        ) from error
    return crop_and_resize(pixels.reshape(*pixels.shape[:2], channels), size)
