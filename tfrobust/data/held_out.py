"""Holding out a stratified part of a split, and making the three splits of a data set."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from tfrobust.data import order
from tfrobust.data.base_split import BaseSplit
from tfrobust.data.splits import DatasetInfo, Splits
from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer
from tfrobust.ops.random.seeds import check_seed

SplitT = TypeVar("SplitT", bound=BaseSplit)


def hold_out(
    split: SplitT, size: float, seed: int, name: str = "validation"
) -> tuple[SplitT, SplitT]:
    """Holds out a part of a split, stratified by class.

    Use it in a function that reads a data set. The part has the same proportion of every class,
    rounded so that the sum is exact (method of the largest remainder), and leaves at least one example
    of every class. Where labels are not known before the images are read, the part is drawn from all
    examples alike.

    Args:
        split: `Split` or `StoredSplit` of n examples.
        size: number of examples to hold out, or a fraction of n in (0, 1), rounded.
        seed: integer in [0, 2**62). The choice depends on it and on the labels only.
        name: what the part is for; it appears in messages.

    Returns:
        (rest, held_out): two splits in the order of the source.

    Raises:
        UserError: `size` or `seed` is out of range, or a class is too small.

    Example:
        >>> x, y = np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 2
        >>> rest, held_out = tfrobust.data.hold_out(tfrobust.data.Split(x, y), 6, seed=3)
        >>> len(rest), held_out.ids.tolist()
        (14, [0, 4, 9, 11, 12, 19])
    """
    seed = check_seed(seed, f"{name}_seed")
    is_number = isinstance(size, (int, float, np.number)) and not isinstance(size, bool)
    count = round(size * len(split)) if is_number and 0 < size < 1 else size
    if not is_number or not 0 < count < len(split) or count != int(count):
        raise UserError(
            f"`{name}` must be a count from 1 to {len(split) - 1}, or a fraction between 0 and 1, of the "
            f"{len(split)} examples from which it is held out. Received: {size!r}"
            + (", which rounds to none. Add examples, or give a count." if count == 0 else ".")
        )
    labels = np.zeros(len(split), np.int64) if split.labels is None else split.labels
    classes, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    shares, remainders = np.divmod(int(count) * sizes, len(split))
    large = [i for i in np.argsort(-remainders, kind="stable") if shares[i] + 1 < sizes[i]]
    missing = int(count) - int(shares.sum())
    if missing > len(large):
        raise UserError(
            f"`{name}`={size!r} of {len(split)} examples would leave a class without any: at most "
            f"{int(shares.sum()) + len(large)} fit. Hold out fewer, or add examples."
        )
    shares[large[:missing]] += 1
    is_held = np.zeros(len(split), bool)
    for place, (label, share) in enumerate(zip(classes, shares, strict=True)):
        members = np.flatnonzero(inverse == place)
        chosen = order.draw_permutation(len(members), seed, int(label), order.HELD_OUT)[:share]
        is_held[members[chosen]] = True
    return split.take(~is_held), split.take(is_held)


def make_splits(
    name: str,
    train: BaseSplit,
    test: BaseSplit,
    *,
    validation: float | BaseSplit,
    validation_seed: int,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
    augment: Sequence = (),
) -> Splits:
    """Makes the three splits of a data set, with validation held out of the training split.

    Use it at the end of a function that reads a data set.

    Args:
        name: name of the data set.
        train: `Split` or `StoredSplit` of all training examples.
        test: the same; nothing is held out of it.
        validation: count, or fraction in (0, 1), of the training examples to hold out, stratified by
            class; or a `Split` that is used as it is.
        validation_seed: seed of that choice. It does not depend on the seed of the run, so that all
            runs have the same validation split.
        num_classes: number of classes; default: the largest training label plus one.
        class_names: one string per class; default: "0", "1", ...
        augment: the usual augmentation in training.

    Returns:
        `Splits`.

    Raises:
        UserError: as for `Splits` and `hold_out`, or the numbers of classes and names differ.

    Example:
        >>> split = tfrobust.data.Split(np.zeros((20, 8, 8, 1), np.uint8), np.arange(20) % 2)
        >>> make_splits("toy", split, split, validation=4, validation_seed=0).info.counts
        {'train': 16, 'validation': 4, 'test': 20}
    """
    largest = None if train.labels is None else int(train.labels.max())
    if num_classes is None:
        num_classes = len(class_names) if class_names else (largest or 0) + 1
    if integer(num_classes, "num_classes", minimum=1) > len(train):
        raise UserError(
            f"There are {num_classes} classes and {len(train)} training examples, and the largest label "
            f"is {largest}: every class needs an example. Number the classes 0, 1, ... without "
            "gaps."
        )
    if num_classes < 2:
        raise UserError(
            f"There is only one class, and the largest label is {largest}: a classifier needs at "
            "least two. Number the classes 0, 1, ..."
        )
    if not isinstance(validation, BaseSplit):
        train, validation = hold_out(train, validation, validation_seed)
    class_names = tuple(str(c) for c in (class_names or range(num_classes)))
    if len(class_names) != num_classes:
        raise UserError(
            f"`class_names` has {len(class_names)} names for {num_classes} classes: give one name for each "
            "class."
        )
    counts = {"train": len(train), "validation": len(validation), "test": len(test)}
    info = DatasetInfo(name, num_classes, class_names, train.image_shape, counts, tuple(augment))
    return Splits(train, validation, test, info)
