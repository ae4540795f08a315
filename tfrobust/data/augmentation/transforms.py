"""What an augmentation is, and its application to batches: whole ones, or image by image."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from tfrobust.contract import array_from_uint8
from tfrobust.data.augmentation.soft_labels import SoftLabels, split_soft_labels
from tfrobust.errors import UserError, one_line

Transform = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""An augmentation: from an image (h, w, c) and a stateless seed (2,) to an image of the same shape."""


@runtime_checkable
class BatchTransform(Protocol):
    """An augmentation that can also change all images of a batch at once, in NumPy.

    A batch costs a few calls then, in place of some for each image: see `Flip`. `augment_batch` and the
    call must be the same function of an image and its seed; `draw_integers` of
    `tfrobust.ops.random.philox` gives a batch the numbers that `tf.random.stateless_uniform` gives a call.
    """

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Changes a float32 image (h, w, c) in [0, 1], by the random numbers of a seed (2,)."""

    def augment_batch(self, images: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Changes each image of a batch.

        Args:
            images: (b, h, w, c), as they are stored: uint8, where k means k / 255, or float32 in [0, 1].
            seeds: int64 (b, 2), one for each image.

        Returns:
            (b, h, w, c), of the same type, or float32 in [0, 1]: `images`, changed in place, or a new array.
        """


def split_transforms(
    transforms: Sequence[Transform],
) -> tuple[tuple[BatchTransform, ...], tuple[Transform, ...]]:
    """The transforms that whole batches can go through, and the rest: all from the first one that can't.

    Example:
        >>> flip, invert = tfrobust.data.Flip(), lambda image, seed: 1.0 - image
        >>> [len(part) for part in split_transforms([flip, flip, invert, flip])]
        [2, 2]
    """
    whole: list[BatchTransform] = []
    for transform in transforms:
        if not isinstance(transform, BatchTransform):
            break
        whole.append(transform)
    return tuple(whole), tuple(transforms[len(whole) :])


def augment_batch(
    transforms: Sequence[BatchTransform], images: np.ndarray, ids: np.ndarray, keys: np.ndarray
) -> np.ndarray:
    """Sends a batch through transforms of whole batches, in NumPy.

    Args:
        transforms: sequence of `BatchTransform`.
        images: (b, h, w, c), uint8 or float32. Transforms may change them in place.
        ids: int64 (b,), the ids of the examples.
        keys: int64, one for each transform. The seed of an image is (key, id).

    Returns:
        (b, h, w, c), uint8 or float32.

    Example:
        >>> images, ids = np.zeros((2, 8, 8, 1), np.uint8), np.array([3, 4])
        >>> augment_batch([tfrobust.data.Flip()], images, ids, keys=np.array([5])).shape
        (2, 8, 8, 1)
    """
    if transforms and not images.flags.writeable:
        images = images.copy()
    for transform, key in zip(transforms, keys, strict=True):
        images = transform.augment_batch(images, np.stack([np.full_like(ids, key), ids], axis=1))
    return images


def augment_images(
    transforms: Sequence[Transform], images: tf.Tensor, ids: tf.Tensor, keys: tf.Tensor
) -> tf.Tensor:
    """Sends the images of a batch through transforms, one by one.

    Args:
        transforms: sequence of callables (image, seed) -> image.
        images: float32 (b, h, w, c) in [0, 1].
        ids: int64 (b,), the ids of the examples.
        keys: int64, one for each transform. The seed of an image is (key, id).

    Returns:
        float32 (b, h, w, c).
    """

    def augment(pair):
        image, example_id = pair
        for place, transform in enumerate(transforms):
            image = transform(image, tf.stack([keys[place], example_id]))
        return image

    signature = tf.TensorSpec(images.shape[1:], tf.float32)
    return tf.map_fn(augment, (images, ids), fn_output_signature=signature)


def check_augment(
    augment: Sequence[Transform], image_shape: tuple[int, ...]
) -> tuple[Transform, ...]:
    """Returns the augmentations as a tuple, after trying each of them on some images.

    Args:
        augment: sequence of callables (image, seed) -> image, and of `SoftLabels` at its end.
        image_shape: (h, w, c).

    Raises:
        UserError: `augment` is not such a sequence; or an augmentation fails, changes the shape or the type
            of the image, or has an `augment_batch` that does not do what its call does.

    Example:
        >>> check_augment([tfrobust.data.PadCrop(2)], (8, 8, 1))
        (PadCrop(padding=2, mode='zeros'),)
    """
    if not isinstance(augment, (tuple, list)) or not all(map(_is_augmentation, augment)):
        raise UserError(
            "`augment` must be a sequence of callables (image, seed) -> image, such as [PadCrop(4), "
            f"Flip()], or empty. Received: {augment!r}."
        )
    for transform in split_soft_labels(augment).transforms:
        _check_call(transform, image_shape)
        if isinstance(transform, BatchTransform):
            _check_batch(transform, image_shape)
    return tuple(augment)


def _is_augmentation(value):
    # PadCrop instead of PadCrop() is an error.
    return isinstance(value, SoftLabels) or callable(value) and not isinstance(value, type)


def _check_call(transform, image_shape):
    # In a graph, TensorFlow would wrap the message in a trace of its own.
    image = tf.zeros(image_shape)
    with _named(transform, image_shape):
        result = tf.convert_to_tensor(transform(image, tf.zeros((2,), tf.int64)))
    if result.shape != image.shape or result.dtype != image.dtype:
        raise UserError(
            f"{transform!r} changed an image of shape {tuple(image_shape)} and type float32 to shape "
            f"{tuple(result.shape)} and type {result.dtype.name}: it must keep both."
        )


def _check_batch(transform, image_shape):
    """A subclass may have changed one of the two and inherited the other."""
    stored = np.random.Generator(np.random.Philox(0)).integers(0, 256, (4, *image_shape), np.uint8)
    seeds = np.arange(2 * len(stored)).reshape(-1, 2)
    pixels = array_from_uint8(stored)
    expected = np.stack([transform(*pair) for pair in zip(pixels, seeds, strict=True)])
    for images in (stored, pixels):
        with _named(transform, images.shape):
            found = np.asarray(transform.augment_batch(images.copy(), seeds))
        if found.shape != images.shape or found.dtype not in (images.dtype, np.float32):
            raise UserError(
                f"{transform!r}.augment_batch changed images {images.shape} of type {images.dtype} to shape "
                f"{found.shape} and type {found.dtype}: it must keep the shape, and the type or make float32."
            )
        if not np.allclose(array_from_uint8(found), expected, rtol=0.0, atol=1e-5):
            raise UserError(
                f"{transform!r}.augment_batch makes other images than the call with the same seeds: both "
                "must be the same function of an image and its seed. A subclass that has a call of its own "
                "needs its own augment_batch too."
            )


@contextlib.contextmanager
def _named(transform, shape):
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"The augmentation {transform!r} fails on {'images' if len(shape) > 3 else 'an image'} "
            f"{tuple(shape)}. {type(error).__name__}: {one_line(error).rstrip('.')}. It is called with an "
            "image (h, w, c) in [0, 1] and a seed (2,), and may draw random numbers by that seed only: "
            "tf.image.stateless_random_contrast does, layers of Keras do not."
        ) from error
