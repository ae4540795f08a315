"""Batches for training and for evaluation, which depend on the seed only."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrobust.data import order
from tfrobust.data.augmentation.soft_labels import LabelSmoothing, split_soft_labels
from tfrobust.data.augmentation.transforms import (
    Transform,
    augment_batch,
    augment_images,
    check_augment,
    split_transforms,
)
from tfrobust.data.base_split import BaseSplit
from tfrobust.data.batches import EvaluationBatches, MixedBatches, TrainingBatches
from tfrobust.errors import UserError
from tfrobust.ops.datasets import PARALLEL_CALLS, PREFETCHED, read_in_python, without_autotune
from tfrobust.ops.numbers import integer
from tfrobust.ops.random.seeds import check_seed
from tfrobust.ops.replicas.padding import ABSENT

# What uint8 pixels are divided by. It comes with each batch: of a constant in its graph TensorFlow would make
# a product with a rounded 1/255.
WHITE = np.float32(255)


def steps_per_epoch(split: BaseSplit, batch_size: int) -> int:
    """Counts the full batches of an epoch, floor(n / batch_size).

    Use it for `fit` with `training_dataset`, which has all epochs in one dataset.

    Args:
        split: `Split` or `StoredSplit` of n examples to train on.
        batch_size: global batch size.

    Returns:
        The number of steps, at least 1.

    Raises:
        UserError: there is no full batch.

    Example:
        >>> tfrobust.data.steps_per_epoch(tfrobust.data.digits().train, batch_size=128)
        8
    """
    steps = split.count_steps(integer(batch_size, "batch_size", minimum=1))
    if steps == 0:
        raise UserError(
            f"`batch_size`={batch_size} is larger than the {len(split)} examples of the training "
            f"split, and incomplete batches are dropped: use a batch size of at most {len(split)}."
        )
    return steps


def training_dataset(
    split: BaseSplit,
    batch_size: int,
    *,
    seed: int,
    epochs: int,
    augment: Sequence[Transform] = (),
    first_epoch: int = 0,
    first_step: int = 0,
    part: tuple[int, int] = (0, 1),
    num_classes: int | None = None,
) -> tf.data.Dataset:
    """Makes the batches of all epochs of a run, in one `tf.data.Dataset`.

    Use it with `fit(dataset, epochs=..., steps_per_epoch=...)`; see `steps_per_epoch`. Epoch e has the
    examples in an order that depends on (seed, e) only. An incomplete last batch is dropped, with other
    examples in each epoch. The augmentation of an example depends on (seed, e, its id) only. A dataset
    that starts at (first_epoch, first_step) therefore has exactly the batches that are left of an
    uninterrupted one, and starting there costs no time. The next epoch is prefetched while one ends.

    The images of a `Split` are gathered from its array, which is neither copied nor put into a graph; those
    of a `StoredSplit` are read ahead of their use, and nothing is read before the start.

    Args:
        split: `Split` or `StoredSplit` to train on.
        batch_size: global batch size.
        seed: seed of the run, an integer in [0, 2**62).
        epochs: number of epochs of the whole run; the last one has the number epochs - 1.
        augment: sequence of callables (image, seed) -> image, such as `PadCrop` and `Flip`, which are
            applied in this order to float32 images (h, w, c) in [0, 1]. Each gets its own stateless
            seed (2,). At its end may stand what makes soft labels: `Mixup` or `CutMix`, `LabelSmoothing`.
        first_epoch: the epoch to start in, from 0.
        first_step: the step of this epoch to start at, from 0.
        part: (i, n) for worker i of n, from 0, which reads its own rows of each global batch and nothing
            else: rows i * batch_size / n and on. n divides the batch size.
        num_classes: k, where `augment` makes soft labels; not needed otherwise.

    Returns:
        Dataset of (x, y): float32 (batch_size / n, h, w, c) in [0, 1] and int64 (batch_size / n,), with
        static shapes; or y of float32 (batch_size / n, k), where `augment` makes soft labels.

    Raises:
        UserError: the batch is larger than the split, or a number is out of range.

    Example:
        >>> split = tfrobust.data.digits().train
        >>> dataset = tfrobust.data.training_dataset(split, 128, seed=0, epochs=2)
        >>> x, y = next(iter(dataset))
        >>> len(dataset), x.shape, y.shape
        (16, TensorShape([128, 8, 8, 1]), TensorShape([128]))
    """
    steps = steps_per_epoch(split, batch_size)
    check_seed(seed)
    integer(epochs, "epochs", minimum=1)
    for name, value, most in (
        ("first_epoch", first_epoch, epochs),
        ("first_step", first_step, steps),
    ):
        integer(value, name, minimum=0, maximum=most)
    rows = _count_rows(batch_size, part)
    soft = split_soft_labels(check_augment(augment, split.image_shape))
    whole, one_by_one = split_transforms(soft.transforms)
    if soft.makes_soft_labels:
        if num_classes is None:
            raise UserError(
                "`augment` makes soft labels, which have a share for each class: give `num_classes`, such as "
                "splits.info.num_classes."
            )
        num_classes = integer(num_classes, "num_classes", minimum=2)

    run = TrainingBatches(split, batch_size, seed, epochs, first_epoch, first_step, part)
    mixed = MixedBatches(run)
    read = run if soft.mixing is None else mixed

    def batches():
        for number, (images, labels) in enumerate(split.stream(read)):
            places, key = read[number]
            keys = order.draw_bits(*key, order.AUGMENTATION, len(soft.transforms)).view(np.int64)
            ids = split.ids[places]
            images = augment_batch(whole, images, ids, keys[: len(whole)])
            drawn = no_draws
            if soft.mixing is not None:
                drawn = soft.mixing.draw(mixed.draw(run[number])[:, 1:], split.image_shape)
            yield images, labels, ids, keys[len(whole) :], WHITE, drawn

    def finish(images, labels, ids, keys, white, drawn):
        images = _as_pixels(images, white)
        images = augment_images(one_by_one, images, ids, keys) if one_by_one else images
        if soft.makes_soft_labels:
            labels = (soft.smoothing or LabelSmoothing(0.0))(labels, num_classes)
        if soft.mixing is None:
            return images, labels
        images, share = soft.mixing.mix(images[:rows], images[rows:], drawn)
        share = share[:, None]
        return images, share * labels[:rows] + (1.0 - share) * labels[rows:]

    # A transform may have made float32 of uint8.
    blank = np.zeros((1, *split.image_shape), split.dtype)
    stored = augment_batch(whole, blank, split.ids[:1], keys=np.zeros(len(whole), int)).dtype
    no_draws = np.zeros((rows, 0), np.float32)
    like = no_draws
    if soft.mixing is not None:
        like = soft.mixing.draw(np.zeros((rows, MixedBatches.DRAWS - 1)), split.image_shape)
    count = rows if soft.mixing is None else 2 * rows
    signature = (
        tf.TensorSpec((count, *split.image_shape), stored),
        tf.TensorSpec((count,), tf.int64),
        tf.TensorSpec((count,), tf.int64),
        tf.TensorSpec((len(one_by_one),), tf.int64),
        tf.TensorSpec((), tf.float32),
        tf.TensorSpec(like.shape, tf.float32),
    )
    dataset = read_in_python(batches, signature)
    dataset = dataset.map(finish, num_parallel_calls=PARALLEL_CALLS, deterministic=True)
    return _finish(dataset, len(run))


def evaluation_dataset(split: BaseSplit, batch_size: int) -> tf.data.Dataset:
    """Makes batches of all examples of a split, in order, each once and all of the same size.

    Use it with `method.evaluate` and for validation in `fit`. The last batch is filled up with copies
    of the last example. They have the weight -0.0, by which methods recognise rows that do not count.
    Row i of batch j is example j * batch_size + i of the split.

    Args:
        split: `Split` or `StoredSplit` to evaluate on.
        batch_size: global batch size.

    Returns:
        Dataset of (x, y, sample_weight): float32 (batch_size, h, w, c) in [0, 1], int64 (batch_size,),
        and float32 (batch_size,), 1 for an example and -0.0 for a copy.

    Raises:
        UserError: `batch_size` is not a whole number of at least 1.

    Example:
        >>> dataset = tfrobust.data.evaluation_dataset(tfrobust.data.digits().test, batch_size=100)
        >>> [int(tf.reduce_sum(weight)) for x, y, weight in dataset]
        [100, 100, 100, 60]
    """
    batch_size = integer(batch_size, "batch_size", minimum=1)

    whole = EvaluationBatches(len(split), batch_size)

    def batches():
        for number, (images, labels) in enumerate(split.stream(whole)):
            counts = whole.place(number) < len(split)
            yield images, labels, np.where(counts, 1.0, ABSENT).astype(np.float32), WHITE

    signature = (
        tf.TensorSpec((batch_size, *split.image_shape), split.dtype),
        tf.TensorSpec((batch_size,), tf.int64),
        tf.TensorSpec((batch_size,), tf.float32),
        tf.TensorSpec((), tf.float32),
    )
    dataset = read_in_python(batches, signature)
    dataset = dataset.map(
        lambda images, labels, weights, white: (_as_pixels(images, white), labels, weights),
        num_parallel_calls=PARALLEL_CALLS,
        deterministic=True,
    )
    return _finish(dataset, len(whole))


def _count_rows(batch_size, part):
    fits = isinstance(part, (tuple, list)) and len(part) == 2
    if not fits or not all(isinstance(n, int) for n in part) or not 0 <= part[0] < part[1]:
        raise UserError(f"`part` must be (i, n) with 0 <= i < n. Received: part={part!r}.")
    if batch_size % part[1]:
        raise UserError(
            f"`batch_size`={batch_size} cannot be cut into {part[1]} equal parts: make it a multiple of the "
            "number of workers."
        )
    return batch_size // part[1]


def _as_pixels(images, white):
    return tf.cast(images, tf.float32) / white if images.dtype == tf.uint8 else images


def _finish(dataset, count):
    options = tf.data.Options()
    options.deterministic = True
    # With several workers, each takes its part of every global batch.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return without_autotune(dataset.prefetch(PREFETCHED).with_options(options))
