"""Cutting a stratified part off a split, and a data set into its three splits."""

import numpy as np

from tfrobust.data import order
from tfrobust.data.checks import check_count
from tfrobust.data.splits import DatasetInfo, Split, Splits
from tfrobust.errors import UserError


def hold_out(split, size, seed, name="validation"):
    """Cuts a stratified part off a split.

    Of each class goes its share of `size`, rounded so that the sum is exact (largest remainder),
    and at least one example of each class stays.

    Args:
        split: `Split` of n examples.
        size: number of examples to cut off, or a fraction of n in (0, 1), rounded.
        seed: integer; with the labels, it alone decides the choice.
        name: what the part is for.

    Returns:
        (rest, held_out): two `Split`s in the order of the source.

    Raises:
        UserError: the size is not possible.
    """
    seed = order.check_seed(seed, f"{name}_seed")
    is_number = isinstance(size, (int, float, np.number)) and not isinstance(size, bool)
    count = round(size * len(split)) if is_number and 0 < size < 1 else size
    if not is_number or not 0 < count < len(split) or count != int(count):
        raise UserError(
            f"`{name}` must be a count from 1 to {len(split) - 1} or a fraction between 0 and 1 "
            f"of the {len(split)} examples that it is held out from. Received: {size!r}."
        )
    classes, inverse, sizes = np.unique(split.labels, return_inverse=True, return_counts=True)
    shares, remainders = np.divmod(int(count) * sizes, len(split))
    roomy = [i for i in np.argsort(-remainders, kind="stable") if shares[i] + 1 < sizes[i]]
    missing = int(count) - int(shares.sum())
    if missing > len(roomy):
        raise UserError(
            f"`{name}`={size!r} of {len(split)} examples would leave a class without any: at most "
            f"{int(shares.sum()) + len(roomy)} fit. Hold out fewer, or add examples."
        )
    shares[roomy[:missing]] += 1
    is_held = np.zeros(len(split), bool)
    for place, (label, share) in enumerate(zip(classes, shares, strict=True)):
        members = np.flatnonzero(inverse == place)
        chosen = order.permutation(len(members), seed, int(label), order.HELD_OUT)[:share]
        is_held[members[chosen]] = True
    return split.take(~is_held), split.take(is_held)


def make_splits(
    name,
    train,
    test,
    *,
    validation,
    validation_seed,
    num_classes=None,
    class_names=None,
    augment=(),
):
    """Cuts the validation split from the training split, never from the test split.

    Args:
        name: name of the data set.
        train: `Split`.
        test: `Split`.
        validation: how many training examples to hold out, stratified by class: a count, or a
            fraction in (0, 1). Or a `Split` that is used as it is.
        validation_seed: seed of the choice; not the run's seed, so that all runs validate alike.
        num_classes: number of classes; default: the largest training label plus one.
        class_names: one string per class; default: "0", "1", ...
        augment: the customary augmentation.

    Returns:
        `Splits`.

    Raises:
        UserError: as `Split`, `Splits` and `hold_out`.
    """
    if num_classes is None:
        num_classes = len(class_names) if class_names else int(train.labels.max()) + 1
    if check_count(num_classes, "num_classes") > len(train):
        raise UserError(
            f"There are {num_classes} classes and {len(train)} training examples, the largest "
            f"label is {train.labels.max()}: every class needs an example. Renumber the classes "
            "0, 1, ... without gaps."
        )
    if num_classes < 2:
        raise UserError(
            f"There is one class only, the largest label is {train.labels.max()}: a classifier needs at "
            "least two. Number the classes 0, 1, ..."
        )
    if not isinstance(validation, Split):
        train, validation = hold_out(train, validation, validation_seed)
    class_names = tuple(str(c) for c in (class_names or range(num_classes)))
    if len(class_names) != num_classes:
        raise UserError(
            f"`class_names` has {len(class_names)} names for {num_classes} classes: give one name "
            "each."
        )
    counts = {"train": len(train), "validation": len(validation), "test": len(test)}
    info = DatasetInfo(name, num_classes, class_names, train.image_shape, counts, tuple(augment))
    return Splits(train, validation, test, info)
