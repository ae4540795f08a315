"""Batches for training and for evaluation, which depend on the seed only."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfrobust.contract import from_uint8
from tfrobust.data import order
from tfrobust.data.base_split import BaseSplit
from tfrobust.data.batches import EvaluationBatches, TrainingBatches
from tfrobust.errors import UserError, one_line
from tfrobust.ops.datasets import PARALLEL_CALLS, PREFETCHED, without_autotune
from tfrobust.ops.numbers import integer
from tfrobust.ops.random.seeds import check_seed
from tfrobust.ops.replicas.padding import ABSENT

Transform = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""An augmentation: from an image (h, w, c) and a stateless seed (2,) to an image of the same shape."""


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
            seed (2,).
        first_epoch: the epoch to start in, from 0.
        first_step: the step of this epoch to start at, from 0.

    Returns:
        Dataset of (x, y): float32 (batch_size, h, w, c) in [0, 1] and int64 (batch_size,), with static
        shapes.

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
    augment = check_augment(augment, split.image_shape)

    run = TrainingBatches(split, batch_size, seed, epochs, first_epoch, first_step)

    def batches():
        for (places, key), (images, labels) in zip(run, split.stream(run), strict=True):
            keys = order.draw_bits(*key, order.AUGMENTATION, len(augment)).view(np.int64)
            yield images, labels, split.ids[places], keys

    def finish(images, labels, ids, keys):
        images = from_uint8(images)
        if augment:
            images = tf.map_fn(
                lambda pair: _augment(augment, *pair, keys),
                (images, ids),
                fn_output_signature=tf.TensorSpec(split.image_shape, tf.float32),
            )
        return images, labels

    signature = (
        tf.TensorSpec((batch_size, *split.image_shape), split.dtype),
        tf.TensorSpec((batch_size,), tf.int64),
        tf.TensorSpec((batch_size,), tf.int64),
        tf.TensorSpec((len(augment),), tf.int64),
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
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
            yield images, labels, np.where(counts, 1.0, ABSENT).astype(np.float32)

    signature = (
        tf.TensorSpec((batch_size, *split.image_shape), split.dtype),
        tf.TensorSpec((batch_size,), tf.int64),
        tf.TensorSpec((batch_size,), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    dataset = dataset.map(
        lambda images, labels, weights: (from_uint8(images), labels, weights),
        num_parallel_calls=PARALLEL_CALLS,
        deterministic=True,
    )
    return _finish(dataset, len(whole))


def check_augment(
    augment: Sequence[Transform], image_shape: tuple[int, ...]
) -> tuple[Transform, ...]:
    """Returns the augmentations as a tuple, after trying each of them on an image of zeros.

    Args:
        augment: sequence of callables (image, seed) -> image.
        image_shape: (h, w, c).

    Raises:
        UserError: `augment` is not such a sequence, or an augmentation fails or changes the shape or
            the type of the image.

    Example:
        >>> check_augment([tfrobust.data.PadCrop(2)], (8, 8, 1))
        (PadCrop(padding=2, mode='zeros'),)
    """
    if not isinstance(augment, (tuple, list)) or not all(map(_is_transform, augment)):
        raise UserError(
            "`augment` must be a sequence of callables (image, seed) -> image, such as [PadCrop(4), "
            f"Flip()], or empty. Received: {augment!r}."
        )
    # In a graph, TensorFlow would wrap the message in a trace of its own.
    image = tf.zeros(image_shape)
    for transform in augment:
        try:
            result = tf.convert_to_tensor(transform(image, tf.zeros((2,), tf.int64)))
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"The augmentation {transform!r} fails on an image {tuple(image_shape)}. "
                f"{type(error).__name__}: {one_line(error)}"
            ) from error
        if result.shape != image.shape or result.dtype != image.dtype:
            raise UserError(
                f"{transform!r} changed an image of shape {tuple(image_shape)} and type float32 to shape "
                f"{tuple(result.shape)} and type {result.dtype.name}: it must keep both."
            )
    return tuple(augment)


def _is_transform(value):
    # PadCrop instead of PadCrop() is an error.
    return callable(value) and not isinstance(value, type)


def _augment(augment, image, example_id, keys):
    for place, transform in enumerate(augment):
        image = transform(image, tf.stack([keys[place], example_id]))
    return image


def _finish(dataset, count):
    options = tf.data.Options()
    options.deterministic = True
    # With several workers, each takes its part of every global batch.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return without_autotune(dataset.prefetch(PREFETCHED).with_options(options))
