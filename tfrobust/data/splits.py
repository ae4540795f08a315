"""Images and labels in memory, cut into train, validation and test."""

import dataclasses

import numpy as np

from tfrobust.data import order
from tfrobust.data.checks import check_count, check_images, check_labels
from tfrobust.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images, their labels and their identities.

    Args:
      images: (n, h, w, c), uint8 in 0..255 or float in [0, 1].
      labels: (n,) integers from 0.
      ids: (n,) integers: an example's place in its source. Augmentation is keyed by it, so that it does
        not depend on how the source was cut. Default: 0, 1, ...

    Raises:
      UserError: the arrays do not fit each other or these ranges.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: np.ndarray = None

    def __post_init__(self):
        images, labels = check_images(self.images), check_labels(self.labels)
        ids = np.asarray(np.arange(len(images)) if self.ids is None else self.ids)
        if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
            raise UserError(
                f"`ids` has shape {ids.shape} and dtype {ids.dtype}: give one integer per image."
            )
        for name, values in (("labels", labels), ("ids", ids)):
            if len(values) != len(images):
                raise UserError(
                    f"{len(images)} images came with {len(values)} {name}: give exactly one each."
                )
        for name, value in (("images", images), ("labels", labels), ("ids", ids.astype(np.int64))):
            object.__setattr__(self, name, value)

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        return f"Split({len(self)} images {self.image_shape} {self.images.dtype})"

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return tuple(int(n) for n in self.images.shape[1:])

    def take(self, places):
        """Returns the split that holds the examples at `places`, in that order."""
        return Split(self.images[places], self.labels[places], self.ids[places])


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set apart from its pixels.

    Args:
      name: what the source calls it.
      num_classes: number of classes k.
      class_names: k strings.
      image_shape: (height, width, channels).
      counts: number of examples per split, as they are here.
      augment: the augmentation that is customary in training; empty where none is.
    """

    name: str
    num_classes: int
    class_names: tuple
    image_shape: tuple
    counts: dict
    augment: tuple = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """Train, validation and test split of one data set, checked against each other.

    Raises:
      UserError: the splits' images differ in shape, a label is out of range, or a class has no
        training example.
    """

    train: Split
    validation: Split
    test: Split
    info: DatasetInfo

    def __post_init__(self):
        for name in ("validation", "test"):
            shape = getattr(self, name).image_shape
            if shape != self.train.image_shape:
                raise UserError(
                    f"Images of the {name} split have shape {shape}, those of the train split "
                    f"{self.train.image_shape}: all must have one shape. Resize or convert them."
                )
        for name in ("train", "validation", "test"):
            check_labels(getattr(self, name).labels, f"{name} labels", self.info.num_classes)
        counts = np.bincount(self.train.labels, minlength=self.info.num_classes)
        if not counts.all():
            absent = int(np.argmin(counts))
            raise UserError(
                f"Class {absent} of {self.info.num_classes} ({self.info.class_names[absent]!r}) has no "
                "training example: every class needs one. Add examples, or renumber the classes without it."
            )


def make_splits(
    name, train, test, *, validation, validation_seed, num_classes=None, class_names=None, augment=()
):
    """Cuts the validation split from the training split, never from the test split.

    Args:
      name: name of the data set.
      train: `Split`.
      test: `Split`.
      validation: how many training examples to hold out, stratified by class: a count, or a fraction
        in (0, 1). Or a `Split` that is used as it is.
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
            f"There are {num_classes} classes and {len(train)} training examples, the largest label is "
            f"{train.labels.max()}: every class needs an example. Renumber the classes 0, 1, ... without gaps."
        )
    if not isinstance(validation, Split):
        train, validation = hold_out(train, validation, validation_seed)
    class_names = tuple(str(c) for c in (class_names or range(num_classes)))
    if len(class_names) != num_classes:
        raise UserError(
            f"`class_names` has {len(class_names)} names for {num_classes} classes: give one name each."
        )
    counts = {"train": len(train), "validation": len(validation), "test": len(test)}
    info = DatasetInfo(name, num_classes, class_names, train.image_shape, counts, tuple(augment))
    return Splits(train, validation, test, info)


def hold_out(split, size, seed, name="validation"):
    """Cuts a stratified part off a split.

    Of each class goes its share of `size`, rounded so that the sum is exact (largest remainder), and
    at least one example of each class stays.

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
            f"`{name}` must be a count from 1 to {len(split) - 1} or a fraction between 0 and 1 of the "
            f"{len(split)} examples that it is held out from. Received: {size!r}."
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
        is_held[members[order.permutation(len(members), seed, int(label), order.HELD_OUT)[:share]]] = True
    return split.take(~is_held), split.take(is_held)
