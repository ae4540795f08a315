"""Data sets from NumPy arrays and from .npz files."""

import os
from collections.abc import Sequence

import numpy as np

from tfrobust.contract import check_images, check_labels
from tfrobust.data.held_out import make_splits
from tfrobust.data.splits import Split, Splits
from tfrobust.errors import UserError, one_line

_HOW = "Write it with numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)."


def arrays(
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    validation: float | tuple[np.ndarray, np.ndarray] = 0.1,
    validation_seed: int = 0,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
) -> Splits:
    """Makes a data set from arrays.

    Use it for images that are in memory already. The arrays are checked, and not copied where possible.

    Args:
        x_train: (n, h, w, c), uint8 in 0..255 or float in [0, 1].
        y_train: (n,) integers in [0, num_classes).
        x_test: as `x_train`.
        y_test: as `y_train`.
        validation: count, or fraction in (0, 1), of the training examples to hold out, stratified by
            class; or a pair (x_validation, y_validation).
        validation_seed: seed of that choice; it does not depend on the seed of the run.
        num_classes: number of classes; default: the largest training label plus one.
        class_names: one string per class; default: "0", "1", ...
        name: name of the data set, for reports.

    Returns:
        `Splits`.

    Raises:
        UserError: an array has another shape, type or range, or the arrays do not fit each other.

    Example:
        >>> x, y = np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 2
        >>> tfrobust.data.arrays(x, y, x, y, validation=4).info.counts
        {'train': 16, 'validation': 4, 'test': 20}
    """
    train = _make_split(x_train, y_train, "train", num_classes)
    test = _make_split(x_test, y_test, "test", num_classes)
    if isinstance(validation, (tuple, list)):
        if len(validation) != 2:
            raise UserError(
                f"`validation` has {len(validation)} entries: give a count, a fraction, or a pair "
                "(x_validation, y_validation)."
            )
        held_out: float | Split = _make_split(*validation, "validation", num_classes)
    else:
        held_out = validation
    return make_splits(
        name,
        train,
        test,
        validation=held_out,
        validation_seed=validation_seed,
        num_classes=num_classes,
        class_names=class_names,
    )


def _make_split(x, y, name, num_classes):
    x, y = check_images(x, f"x_{name}"), check_labels(y, f"y_{name}", num_classes)
    if len(x) != len(y):
        raise UserError(
            f"`x_{name}` has {len(x)} images and `y_{name}` has {len(y)} labels: give exactly one label "
            "for each image."
        )
    return Split(x, y)


def npz(
    path: str | os.PathLike,
    validation: float = 0.1,
    validation_seed: int = 0,
    num_classes: int | None = None,
    name: str | None = None,
) -> Splits:
    """Reads a data set from an .npz file with the keys of Keras's `mnist.npz`.

    Use it for images of your own that do not need to be decoded. The keys are `x_train`, `y_train`,
    `x_test`, `y_test`, and optionally `x_validation` and `y_validation` (then `validation` and its
    seed are not used) and `class_names`, an array of strings.

    Args:
        path: the file.
        validation: as for `arrays`.
        validation_seed: as for `arrays`.
        num_classes: as for `arrays`.
        name: name of the data set; default: the path.

    Returns:
        `Splits`.

    Raises:
        UserError: the file cannot be read, a key is missing or unknown, or as for `arrays`.

    Example:
        >>> x, y = np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 2
        >>> np.savez("data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
        >>> tfrobust.data.npz("data.npz", validation=4).train
        Split(16 images (8, 8, 1) uint8)
    """
    arguments = {
        "path": path,
        "validation": validation,
        "validation_seed": validation_seed,
        "num_classes": num_classes,
        "name": name,
    }
    needed = ["x_train", "y_train", "x_test", "y_test"]
    pair = ["x_validation", "y_validation"]
    values = read_npz(path, needed)
    unknown = sorted(set(values) - {*needed, *pair, "class_names"})
    if unknown or len(set(pair) & set(values)) == 1:
        raise UserError(
            f"{path} has the keys {sorted(values)}: besides {needed}, it may have {pair} (both) "
            "and 'class_names'. Rename or remove the others."
        )
    class_names = values.get("class_names")
    splits = arrays(
        values["x_train"],
        values["y_train"],
        values["x_test"],
        values["y_test"],
        validation=(values[pair[0]], values[pair[1]]) if pair[0] in values else validation,
        validation_seed=validation_seed,
        num_classes=num_classes,
        class_names=None if class_names is None else [str(c) for c in class_names],
        name=str(path) if name is None else name,
    )
    return splits.record_source("npz", **arguments)


def read_npz(
    path: str | os.PathLike, needed: Sequence[str] = (), advice: str = _HOW
) -> dict[str, np.ndarray]:
    """Reads all arrays of an .npz file.

    Args:
        path: the file. Python objects that are pickled in it are never read.
        needed: keys that must be there.
        advice: how to write such a file, for the messages.

    Returns:
        A dict from the keys to the arrays.

    Raises:
        UserError: the file does not exist, is of another kind or damaged, lacks a key, or its arrays do
            not fit into memory.

    Example:
        >>> np.savez("data.npz", x_test=np.zeros((2, 8, 8, 1)), y_test=np.array([0, 1]))
        >>> sorted(read_npz("data.npz"))
        ['x_test', 'y_test']
    """
    # Opening a pipe would wait for ever.
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f"{path} is not a regular file. Give the path of an .npz file.")
    try:
        with open(path, "rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                raise ValueError("it contains one array without keys")
            with content:
                found = dict(content)
    except FileNotFoundError as error:
        raise UserError(f"{path} cannot be read as .npz: it does not exist. {advice}") from error
    # Damaged files raise errors of zlib, struct and others.
    except Exception as error:
        reason = one_line(error)
        if "allow_pickle" in reason:
            reason = (
                "it is a file of another kind, or contains Python objects, which are never read"
            )
        raise UserError(f"{path} cannot be read as .npz: {reason.rstrip('.')}. {advice}") from error
    if not set(needed) <= set(found):
        raise UserError(
            f"{path} has the keys {sorted(found)}: {list(needed)} are required. {advice}"
        )
    return found
