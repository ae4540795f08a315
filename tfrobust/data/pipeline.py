"""Batches for training and for evaluation, as functions of the seed alone."""

import numpy as np
import tensorflow as tf

from tfrobust.contract import from_uint8
from tfrobust.data import order
from tfrobust.data.checks import check_count
from tfrobust.errors import UserError, one_line
from tfrobust.ops.datasets import PARALLEL_CALLS, PREFETCHED, without_autotune
from tfrobust.ops.padding import ABSENT


def steps_per_epoch(split, batch_size):
    """Returns the number of full batches of an epoch: floor(n / batch_size) of a `Split`, at least 1.

    Args:
        split: `Split`.
        batch_size: global batch size.

    Returns:
        Integer.

    Raises:
        UserError: there is no full batch.
    """
    steps = split.steps(check_count(batch_size, "batch_size"))
    if steps == 0:
        raise UserError(
            f"`batch_size`={batch_size} is larger than the {len(split)} examples of the training "
            f"split, and incomplete batches are dropped: use a batch size of at most {len(split)}."
        )
    return steps


def training_dataset(split, batch_size, *, seed, epochs, augment=(), first_epoch=0, first_step=0):
    """Returns all batches of a run, epoch after epoch, in one `tf.data.Dataset`.

    Epoch e visits the split in an order that depends on (seed, e) only, and drops what does not
    fill a batch; other examples are dropped in other epochs. The augmentation of an example
    depends on (seed, e, its id) only. So a dataset that starts at (first_epoch, first_step) yields
    exactly what an uninterrupted one has left, and costs nothing to start there. Give
    `steps_per_epoch` to `fit`: the next epoch is prefetched while the last one ends.

    The images are gathered from the split's own array, which is never copied or put in a graph.

    Args:
        split: `Split` to train on.
        batch_size: global batch size.
        seed: the run's seed, an integer from 0.
        epochs: number of epochs of the whole run; the dataset ends with epoch number epochs - 1.
        augment: sequence of callables (image, seed) -> image, applied in this order to float32 images
            (h, w, c) in [0, 1]; `seed` is a stateless seed (2,) of that callable's own. `PadCrop`,
            `Flip`.
        first_epoch: epoch to start in, from 0.
        first_step: batches of that epoch to leave out, from 0.

    Returns:
        Dataset of (x, y): float32 (batch_size, h, w, c) in [0, 1], int64 (batch_size,). Shapes are
            static.

    Raises:
        UserError: the batch is larger than the split, or a number is out of range.
    """
    steps = steps_per_epoch(split, batch_size)
    order.check_seed(seed)
    check_count(epochs, "epochs")
    for name, value, most in (
        ("first_epoch", first_epoch, epochs),
        ("first_step", first_step, steps),
    ):
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, np.integer))
            or not 0 <= value <= most
        ):
            raise UserError(
                f"`{name}` must be an integer from 0 to {most} ({epochs} epochs of {steps} steps). "
                f"Received: {value!r}."
            )
    augment = check_augment(augment, split.image_shape)

    def batches():
        for epoch in range(first_epoch, epochs):
            places = split.places(seed, epoch, batch_size)
            keys = order.random_bits(seed, epoch, order.AUGMENTATION, len(augment)).view(np.int64)
            for step in range(first_step if epoch == first_epoch else 0, steps):
                batch = places[step]
                yield split.images[batch], split.labels[batch], split.ids[batch], keys

    def finish(images, labels, ids, keys):
        images = from_uint8(images)
        if augment:
            images = tf.map_fn(
                lambda pair: _augmented(augment, *pair, keys),
                (images, ids),
                fn_output_signature=tf.TensorSpec(split.image_shape, tf.float32),
            )
        return images, labels

    signature = (
        tf.TensorSpec((batch_size, *split.image_shape), split.images.dtype),
        tf.TensorSpec((batch_size,), tf.int64),
        tf.TensorSpec((batch_size,), tf.int64),
        tf.TensorSpec((len(augment),), tf.int64),
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    dataset = dataset.map(finish, num_parallel_calls=PARALLEL_CALLS, deterministic=True)
    left_out = first_step if first_epoch < epochs else 0
    return _ready(dataset, (epochs - first_epoch) * steps - left_out)


def evaluation_dataset(split, batch_size):
    """Returns a split in order, each example once, in batches of one static shape.

    The last batch is filled up with copies of its last example, real images, so that an attack meets
    nothing degenerate. Their weight -0.0 marks them as rows that count nowhere. Example i of batch j
    is example j * batch_size + i of the split.

    Args:
        split: `Split` to evaluate on.
        batch_size: global batch size.

    Returns:
        Dataset of (x, y, sample_weight): float32 (batch_size, h, w, c) in [0, 1], int64
            (batch_size,), float32 (batch_size,) of 1 for an example and -0.0 for a copy.

    Raises:
        UserError: the batch size is not a positive integer.
    """
    batch_size = check_count(batch_size, "batch_size")

    def batches():
        for start in range(0, len(split), batch_size):
            places = np.arange(start, start + batch_size)
            batch = np.minimum(places, len(split) - 1)
            weights = np.where(places < len(split), 1.0, ABSENT).astype(np.float32)
            yield split.images[batch], split.labels[batch], weights

    signature = (
        tf.TensorSpec((batch_size, *split.image_shape), split.images.dtype),
        tf.TensorSpec((batch_size,), tf.int64),
        tf.TensorSpec((batch_size,), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    dataset = dataset.map(
        lambda images, labels, weights: (from_uint8(images), labels, weights),
        num_parallel_calls=PARALLEL_CALLS,
        deterministic=True,
    )
    return _ready(dataset, -(-len(split) // batch_size))


def check_augment(augment, image_shape):
    """Returns the augmentations as a tuple after trying each on an image of zeros.

    Args:
        augment: sequence of callables (image, seed) -> image.
        image_shape: (h, w, c).

    Raises:
        UserError: it is no such sequence, or one of them fails or changes shape or type.
    """
    if not isinstance(augment, (tuple, list)) or not all(map(_is_transform, augment)):
        raise UserError(
            "`augment` must be a sequence of callables (image, seed) -> image, such as [PadCrop(4), "
            f"Flip()], or empty. Received: {augment!r}."
        )
    # Here and not in the graph, where TensorFlow would wrap the message in a trace of its own.
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
                f"{transform!r} turned an image {image_shape} of float32 into {tuple(result.shape)} "
                f"of {result.dtype.name}: augmentation must keep shape and type."
            )
    return tuple(augment)


def _is_transform(value):
    # A class is called for its instance: PadCrop() is meant, not PadCrop.
    return callable(value) and not isinstance(value, type)


def _augmented(augment, image, example_id, keys):
    for place, transform in enumerate(augment):
        image = transform(image, tf.stack([keys[place], example_id]))
    return image


def _ready(dataset, count):
    options = tf.data.Options()
    options.deterministic = True
    # Several workers: each takes its own part of every global batch, not of the files.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return without_autotune(dataset.prefetch(PREFETCHED).with_options(options))
