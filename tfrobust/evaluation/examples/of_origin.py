"""Examples as a classifier wants them: of its size, and labelled by the places of its classes."""

import dataclasses
import os
import pathlib

import numpy as np

from tfrobust.data.base_split import BaseSplit
from tfrobust.data.sources.arrays import read_npz
from tfrobust.data.sources.load import load_source, read_test_crop
from tfrobust.data.sources.one_split import read_pictures
from tfrobust.data.splits import Split
from tfrobust.data.stored.split import StoredSplit
from tfrobust.errors import UserError
from tfrobust.runs.origin import Origin, match_classes, name_classes


def read_own_pictures(source: str | os.PathLike, split: str, origin: Origin) -> BaseSplit:
    """The pictures of a folder or of a CSV file, as the classifier of `origin` sees them.

    Of the data that it was trained on, the split is that of its training. Otherwise all pictures count,
    unless the folder or the file says of which split each is.

    Raises:
        UserError: the size of the classifier's images is not known, or a class is none of its own.
    """
    if origin.source is not None and origin.is_source(source):
        splits = load_source(origin.source)
        own, known = splits.info.class_names, origin.class_names or ()
        same = set(own) == set(known)
        places = match_classes(own, known, source) if same else list(range(len(own)))
        return relabel(getattr(splits, split), places, source)
    shape = origin.image_shape
    if shape is None or None in shape or len(shape) != 3:
        raise UserError(
            f"{source} holds pictures, and the classifier does not say of which size its images are (shape: "
            f"{shape}). Give images of one size: an .npz file with 'images' and 'labels'."
        )
    height, width, channels = map(int, filter(None, shape))
    crop = read_test_crop(origin.source, (height, width))
    pictures, names = read_pictures(source, split, (height, width), channels, crop)
    return relabel(pictures, match_classes(names, origin.class_names, source), source)


def follow_names(split: BaseSplit, names: tuple[str, ...], origin: Origin) -> BaseSplit:
    """A split of a data set whose classes have `names`, by the places of the classifier's names.

    Where one of the two has numbers only, they are the places.
    """
    own = name_classes(names)
    if own is None or origin.class_names is None:
        return split
    return relabel(split, match_classes(own, origin.class_names, "The data set"), "The data set")


def read_own_arrays(path: pathlib.Path, split: str, origin: Origin) -> tuple[BaseSplit, str]:
    """Images and labels of a split out of an .npz file, and a name for them."""
    arrays = read_npz(path)
    for images, labels in ((f"x_{split}", f"y_{split}"), ("images", "labels")):
        if images in arrays and labels in arrays:
            ids = [arrays["ids"]] if "ids" in arrays else []
            found = Split(arrays[images], arrays[labels], *ids)
            names = tuple(str(name) for name in arrays.get("class_names", ()))
            return follow_names(found, names, origin), f"{path.name} {split}"
    raise UserError(
        f"{path} holds {sorted(arrays)}: 'x_{split}' and 'y_{split}', or 'images' and 'labels', are needed."
    )


def relabel(split: BaseSplit, places: list[int], where: str | os.PathLike) -> BaseSplit:
    """A split with `places[label]` for each label."""
    if places == list(range(len(places))):
        return split
    if not isinstance(split, (Split, StoredSplit)) or split.labels is None:
        raise UserError(
            f"{where} has the classes of the classifier in another order, and its labels are known only when "
            "its images are read. Write the images and labels into an .npz file."
        )
    if len(split.labels) and split.labels.max() >= len(places):
        raise UserError(
            f"{where} has the label {int(split.labels.max())}, and names for {len(places)} classes."
        )
    return dataclasses.replace(split, labels=np.asarray(places, np.int64)[split.labels])
