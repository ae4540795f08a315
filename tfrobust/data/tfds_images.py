"""Image-classification data sets from TensorFlow Datasets (TFDS), decoded once into memory."""

import numpy as np
import tensorflow as tf

from tfrobust.data.augment import Flip, PadCrop
from tfrobust.data.held_out import make_splits
from tfrobust.data.resize import check_image_size, cover
from tfrobust.data.splits import Split
from tfrobust.data.tfds_builder import find_builder
from tfrobust.errors import UserError
from tfrobust.ops.datasets import PARALLEL_CALLS, PREFETCHED, without_autotune

# What is customary in training. Digits and house numbers are not what they were when mirrored.
AUGMENT = {"cifar10": (PadCrop(4), Flip()), "cifar100": (PadCrop(4), Flip())}


def tfds_images(
    name,
    data_dir=None,
    validation=5000,
    validation_seed=0,
    image_size=None,
    memory_limit_gib=8,
    train_split=None,
    test_split=None,
    download=False,
):
    """Reads any TFDS image-classification data set that is prepared on this machine.

    `mnist`, `fashion_mnist`, `cifar10`, `cifar100` and `svhn_cropped` need nothing but their name.
    The images are decoded once to uint8. The network is not touched unless `download` is true.

    Args:
        name: TFDS name, "name", "name/config" or "name/config:version".
        data_dir: folder that TFDS prepared it in; default: the environment variable TFDS_DATA_DIR,
            then ~/tensorflow_datasets.
        validation: count or fraction of the training examples to hold out, stratified by class.
        validation_seed: seed of that choice; not the run's seed.
        image_size: integer or (height, width) to resize to (centre cut of that proportion,
            antialiased); default: as stored, which needs all images to have one size.
        memory_limit_gib: largest size of the decoded images, in GiB, that is accepted; twice that is
            needed for the moment in which validation is cut off.
        train_split: TFDS split to train on and to hold validation out of; default "train".
        test_split: TFDS split to test on; default "test".
        download: whether TFDS may download and prepare what is not there.

    Returns:
        `Splits` of uint8 images; ids are places in the TFDS split.

    Raises:
        UserError: the set is not there, has no such split, no images with one label each, images of
            several sizes, or is too large: one line that says what to do.
    """
    size = None if image_size is None else check_image_size(image_size)
    builder = find_builder(name, data_dir, download)
    keys, shape, label = _features(builder, name, size)
    train_split = _split_name(builder, name, train_split, "train")
    test_split = _split_name(builder, name, test_split, "test")
    if train_split == test_split:
        raise UserError(
            f"`train_split` and `test_split` of {name!r} are both {train_split!r}: testing on "
            f"training data says nothing. Its splits are {sorted(builder.info.splits)}."
        )
    counts = {s: builder.info.splits[s].num_examples for s in (train_split, test_split)}
    gib = sum(counts.values()) * np.prod(shape, dtype=float) / 2**30
    if gib > memory_limit_gib:
        raise UserError(
            f"{name!r} takes {gib:.1f} GiB in memory at {shape}, over `memory_limit_gib`="
            f"{memory_limit_gib}. Raise the limit, give a smaller `image_size`, or a part such as "
            "train_split='train[:10%]'."
        )
    train, test = (_read(builder, name, s, counts[s], keys, shape, size) for s in counts)
    splits = make_splits(
        name,
        train,
        test,
        validation=validation,
        validation_seed=validation_seed,
        num_classes=label.num_classes,
        class_names=label.names,
        augment=AUGMENT.get(builder.info.name, ()),
    )
    return splits.read_by(
        "tfds_images",
        name=name,
        validation=validation,
        validation_seed=validation_seed,
        image_size=image_size,
        memory_limit_gib=memory_limit_gib,
        train_split=None if train_split == "train" else train_split,
        test_split=None if test_split == "test" else test_split,
    )


def _features(builder, name, size):
    import tensorflow_datasets as tfds

    features = builder.info.features
    keys = builder.info.supervised_keys or ("image", "label")
    image, label = (features[k] if k in list(features) else None for k in keys[:2])
    if not isinstance(image, tfds.features.Image) or not isinstance(
        label, tfds.features.ClassLabel
    ):
        raise UserError(
            f"{name!r} is no image-classification data set: it needs an image and a class label, "
            f"its features are {sorted(features)}. Choose another, or give `arrays`."
        )
    if image.dtype != np.uint8:
        raise UserError(
            f"The images of {name!r} are {np.dtype(image.dtype).name}: only uint8 can be read. "
            "Convert them and give `arrays`."
        )
    shape = tuple(image.shape) if size is None else (*size, image.shape[2])
    if None in shape:
        raise UserError(
            f"The images of {name!r} have shape {image.shape}, which varies: give `image_size`, "
            "one integer or (height, width), to resize them."
        )
    return keys[:2], shape, label


def _split_name(builder, name, given, default):
    split = given or default
    try:
        count = builder.info.splits[split].num_examples
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{name!r} has no split {split!r}, it has {sorted(builder.info.splits)}: set "
            f"`{default}_split` to one of them, or to a part such as 'train[:80%]'."
        ) from error
    if not count:
        raise UserError(f"Split {split!r} of {name!r} is empty: set `{default}_split` to another.")
    return split


def _read(builder, name, split, count, keys, shape, size):
    import tensorflow_datasets as tfds

    images, labels = np.empty((count, *shape), np.uint8), np.empty((count,), np.int64)
    wanted = {key: builder.info.features[key] for key in keys}
    dataset = builder.as_dataset(
        split=split,
        read_config=tfds.ReadConfig(try_autocache=False),
        decoders=tfds.decode.PartialDecoding(wanted),
    )
    dataset = dataset.map(
        lambda e: (e[keys[0]] if size is None else cover(e[keys[0]], size), e[keys[1]]),
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
