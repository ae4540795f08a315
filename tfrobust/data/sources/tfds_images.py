"""Image-classification data sets from TensorFlow Datasets (TFDS)."""

import contextlib
import logging
import os

import numpy as np
import tensorflow as tf

from tfrobust.data.held_out import make_splits
from tfrobust.data.resize import check_image_size, crop_and_resize
from tfrobust.data.sources.tfds_builder import find_builder
from tfrobust.data.sources.usual import USUAL, Usual
from tfrobust.data.splits import Split, Splits
from tfrobust.data.stored.crops import Crop
from tfrobust.data.stored.memory import (
    LIMIT_GIB,
    check_crop,
    check_memory_limit,
    count_gib,
    load_what_fits,
)
from tfrobust.data.stored.split import StoredSplit
from tfrobust.data.stored.tfds_records import TFDSRecords, has_random_access
from tfrobust.errors import UserError
from tfrobust.ops.datasets import PARALLEL_CALLS, PREFETCHED, without_autotune


def tfds_images(
    name: str,
    data_dir: str | os.PathLike | None = None,
    validation: float = 5000,
    validation_seed: int = 0,
    image_size: int | tuple[int, int] | None = None,
    memory_limit_gib: float = LIMIT_GIB,
    train_split: str | None = None,
    test_split: str | None = None,
    download: bool = False,
    train_crop: Crop | None = None,
    test_crop: Crop | None = None,
) -> Splits:
    """Reads a data set for image classification that TensorFlow Datasets (TFDS) has prepared.

    Use it for the data sets of the literature: `mnist`, `fashion_mnist`, `cifar10`, `cifar100` and
    `svhn_cropped` need only their name. The images are decoded once to uint8 and kept in memory, or, where
    they do not fit, read when a batch needs them. The network is not used unless `download` is true.

    `tfds_images("imagenet2012", image_size=224)` is ImageNet as papers use it: random resized crops and
    mirrors in training, the middle 224 of 256 pixels in evaluation, TFDS's validation split for the test.
    Prepare large data sets as ArrayRecord (`tfds build --file_format=array_record`): TFRecord has no index
    of its records, and each start of a run looks at all of them to make one.

    Args:
        name: TFDS name, "name", "name/config" or "name/config:version".
        data_dir: folder in which TFDS has prepared it; default: the environment variable
            TFDS_DATA_DIR, then ~/tensorflow_datasets.
        validation: count, or fraction in (0, 1), of the training examples to hold out, stratified by
            class.
        validation_seed: seed of that choice; it does not depend on the seed of the run.
        image_size: integer or (height, width); images are cropped centrally to this aspect ratio and
            resized with antialiasing. Default: as stored, if all images have the same size.
        memory_limit_gib: the images are kept in memory if they take at most so many GiB, decoded; while
            validation is held out, twice as much is needed. Images that are read when a batch needs them
            are held out of all alike, and not by class, since their labels are not known before.
        train_split: TFDS split to train on, of which validation is held out; default "train".
        test_split: TFDS split to test on; default "test", and "validation" of ImageNet.
        download: whether TFDS may download and prepare the data set.
        train_crop: the part of a picture that training sees, such as `RandomResizedCrop`; None for the
            usual one of the data set, or that of evaluation. With a random crop the training images are
            always read when a batch needs them.
        test_crop: the part that validation and test see, a `CenterCrop`; None for the usual one of the data
            set, or the largest.

    Returns:
        `Splits` of uint8 images; the ids are positions in the TFDS split.

    Raises:
        UserError: the data set is not prepared, has no such split, no images with one label each, or
            images of several sizes.

    Example:
        >>> splits = tfrobust.data.tfds_images("cifar10")  # doctest: +SKIP
        >>> splits.train  # doctest: +SKIP
        Split(45000 images (32, 32, 3) uint8)
    """
    size = None if image_size is None else check_image_size(image_size)
    builder = find_builder(name, data_dir, download)
    keys, shape, label = _read_features(builder, name, size)
    train_split = _check_split(builder, name, train_split, "train")
    usual = USUAL.get(builder.info.name, Usual())
    test_split = _check_split(builder, name, test_split or usual.test_split, "test")
    if train_split == test_split:
        raise UserError(
            f"`train_split` and `test_split` of {name!r} are both {train_split!r}: they must differ. Its "
            f"splits are {sorted(builder.info.splits)}."
        )
    counts = {s: builder.info.splits[s].num_examples for s in (train_split, test_split)}
    given = {"train_crop": train_crop, "test_crop": test_crop}
    for crop_name, crop in given.items():
        check_crop(crop_name, crop, shape[:2])
    train_crop = train_crop or usual.train_crop
    test_crop = test_crop or usual.choose_test_crop(shape[:2])
    fits = count_gib(sum(counts.values()), shape) <= check_memory_limit(memory_limit_gib)
    whole = fits and train_crop is None and test_crop is None

    def read(split):
        if whole and not has_random_access(builder):
            return _read_split(builder, name, split, counts[split], keys, shape, size)
        reader = TFDSRecords(builder, split, keys, shape, test_crop)
        stored = StoredSplit(reader, np.arange(counts[split]), None, label.num_classes)
        return stored.load() if whole else stored

    splits = make_splits(
        name,
        read(train_split),
        read(test_split),
        validation=validation,
        validation_seed=validation_seed,
        num_classes=label.num_classes,
        class_names=label.names,
        augment=usual.augment,
    )
    return load_what_fits(splits, memory_limit_gib, train_crop).record_source(
        "tfds_images",
        name=name,
        validation=validation,
        validation_seed=validation_seed,
        image_size=image_size,
        memory_limit_gib=memory_limit_gib,
        train_split=None if train_split == "train" else train_split,
        test_split=None if test_split == usual.test_split else test_split,
        **given,
    )


def _read_features(builder, name, size):
    import tensorflow_datasets as tfds

    features = builder.info.features
    keys = builder.info.supervised_keys or ("image", "label")
    image, label = (features[k] if k in list(features) else None for k in keys[:2])
    if not isinstance(image, tfds.features.Image) or not isinstance(
        label, tfds.features.ClassLabel
    ):
        raise UserError(
            f"{name!r} is not a data set for image classification: it needs an image and a class label, "
            f"and its features are {sorted(features)}. Choose another, or use `arrays`."
        )
    if image.np_dtype != np.uint8:
        raise UserError(
            f"The images of {name!r} are {np.dtype(image.np_dtype).name}: only uint8 can be read. "
            "Convert them and use `arrays`."
        )
    shape = tuple(image.shape) if size is None else (*size, image.shape[2])
    if None in shape:
        raise UserError(
            f"The images of {name!r} have shape {image.shape}, and so different sizes: give `image_size`, "
            "one integer or (height, width), to resize them."
        )
    return keys[:2], shape, label


def _check_split(builder, name, given, default):
    split = given or default
    try:
        count = builder.info.splits[split].num_examples
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{name!r} has no split {split!r}, it has {sorted(builder.info.splits)}: set "
            f"`{default}_split` to one of them, or to a part such as 'train[:80%]'."
        ) from error
    if not count:
        raise UserError(
            f"Split {split!r} of {name!r} is empty: set `{default}_split` to another one."
        )
    return split


@contextlib.contextmanager
def _hiding(words):
    """Keeps warnings with these words from absl's log: TFDS warns of a name that it uses itself."""
    log = logging.getLogger("absl")

    def keep(record):
        return words not in record.getMessage()

    log.addFilter(keep)
    try:
        yield
    finally:
        log.removeFilter(keep)


def _read_split(builder, name, split, count, keys, shape, size):
    import tensorflow_datasets as tfds

    images, labels = np.empty((count, *shape), np.uint8), np.empty((count,), np.int64)
    wanted = {key: builder.info.features[key] for key in keys}
    with _hiding("FeatureConnector.dtype"):
        dataset = builder.as_dataset(
            split=split,
            read_config=tfds.ReadConfig(try_autocache=False),
            decoders=tfds.decode.PartialDecoding(wanted),
        )
    dataset = dataset.map(
        lambda e: (e[keys[0]] if size is None else crop_and_resize(e[keys[0]], size), e[keys[1]]),
        num_parallel_calls=PARALLEL_CALLS,
        deterministic=True,
    )
    dataset = without_autotune(dataset.batch(1024).prefetch(PREFETCHED))
    place = 0
    try:
        for some_images, some_labels in dataset.as_numpy_iterator():
            end = place + len(some_images)
            images[place:end], labels[place:end] = some_images, some_labels
            place = end
    except (tf.errors.OpError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{name!r} in {builder.data_dir} is damaged after {place} of {count} examples of split "
            f"{split!r}: {reason}. Remove the folder and prepare it again with `tfds build {name}`."
        ) from error
    if place != count:
        raise UserError(
            f"{name!r} in {builder.data_dir} has {place} of {count} examples of split {split!r}. "
            f"Remove the folder and prepare it again with `tfds build {name}`."
        )
    return Split(images, labels)
