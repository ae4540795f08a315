"""Data sets from NumPy arrays and from .npz files."""

import numpy as np

from tfrobust.contract import check_images, check_labels
from tfrobust.data.checks import check_regular
from tfrobust.data.held_out import make_splits
from tfrobust.data.splits import Split
from tfrobust.errors import UserError, one_line

_HOW = "Write it with numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)."


def arrays(
    x_train,
    y_train,
    x_test,
    y_test,
    validation=0.1,
    validation_seed=0,
    num_classes=None,
    class_names=None,
    name="arrays",
):
    """Makes a data set of arrays; the arrays are checked, not copied where that can be helped.

    Args:
      x_train: (n, h, w, c), uint8 in 0..255 or float in [0, 1].
      y_train: (n,) integers in [0, num_classes).
      x_test: as `x_train`.
      y_test: as `y_train`.
      validation: count or fraction of the training examples to hold out, stratified; or a pair
        (x_validation, y_validation).
      validation_seed: seed of that choice; not the run's seed.
      num_classes: number of classes; default: the largest training label plus one.
      class_names: one string per class; default: "0", "1", ...
      name: name of the data set, for reports.

    Returns:
      `Splits`.

    Raises:
      UserError: says which array, which example, what was expected and what to do.
    """
    train = _split(x_train, y_train, "train", num_classes)
    test = _split(x_test, y_test, "test", num_classes)
    if isinstance(validation, (tuple, list)):
        if len(validation) != 2:
            raise UserError(
                f"`validation` has {len(validation)} entries: give a count, a fraction, or a pair "
                "(x_validation, y_validation)."
            )
        validation = _split(*validation, "validation", num_classes)
    return make_splits(
        name,
        train,
        test,
        validation=validation,
        validation_seed=validation_seed,
        num_classes=num_classes,
        class_names=class_names,
    )


def _split(x, y, name, num_classes):
    x, y = check_images(x, f"x_{name}"), check_labels(y, f"y_{name}", num_classes)
    if len(x) != len(y):
        raise UserError(
            f"`x_{name}` has {len(x)} images and `y_{name}` {len(y)} labels: give exactly one "
            "label each."
        )
    return Split(x, y)


def npz(path, validation=0.1, validation_seed=0, num_classes=None, name=None):
    """Reads a data set from an .npz file, laid out as Keras lays out `mnist.npz`.

    Keys: `x_train`, `y_train`, `x_test`, `y_test`; if wanted `x_validation` and `y_validation`
    (then `validation` and its seed are not used) and `class_names`, an array of strings.

    Args:
      path: the file.
      validation: as for `arrays`.
      validation_seed: as for `arrays`.
      num_classes: as for `arrays`.
      name: name of the data set; default: the path.

    Returns:
      `Splits`.

    Raises:
      UserError: the file can't be read, a key is missing or unknown, or as for `arrays`.
    """
    arguments = {
        "path": path,
        "validation": validation,
        "validation_seed": validation_seed,
        "num_classes": num_classes,
        "name": name,
    }
    values = read_npz(path)
    needed = ["x_train", "y_train", "x_test", "y_test"]
    pair = ["x_validation", "y_validation"]
    if not set(needed) <= set(values):
        raise UserError(
            f"{path} holds the keys {sorted(values)}: {needed} are needed. Rename them with numpy.savez."
        )
    unknown = sorted(set(values) - {*needed, *pair, "class_names"})
    if unknown or len(set(pair) & set(values)) == 1:
        raise UserError(
            f"{path} holds the keys {sorted(values)}: beside {needed} there may be {pair} (both) "
            "and 'class_names'. Rename or remove the others."
        )
    if pair[0] in values:
        validation = tuple(values[key] for key in pair)
    class_names = values.get("class_names")
    splits = arrays(
        *(values[key] for key in needed),
        validation=validation,
        validation_seed=validation_seed,
        num_classes=num_classes,
        class_names=None if class_names is None else [str(c) for c in class_names],
        name=str(path) if name is None else name,
    )
    return splits.read_by("npz", **arguments)


def read_npz(path):
    """All arrays of an .npz file, a dict.

    Args:
      path: the file. Nothing that is pickled in it is read.

    Raises:
      UserError: it is no such file, it is damaged, or its arrays do not fit into memory.
    """
    check_regular(path)
    try:
        with open(path, "rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                raise ValueError("it holds one array without keys")
            with found:
                return dict(found)
    except FileNotFoundError as error:
        raise UserError(f"{path} can't be read as .npz: it does not exist. {_HOW}") from error
    # zlib.error, struct.error and others come out of damaged files.
    except Exception as error:
        reason = one_line(error)
        if "allow_pickle" in reason:
            reason = "it is none, or holds Python objects, which are never read"
        raise UserError(f"{path} can't be read as .npz: {reason.rstrip('.')}. {_HOW}") from error
