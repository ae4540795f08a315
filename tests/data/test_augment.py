"""Augmentation against NumPy: a crop is a crop, a flip is a flip, and all places are equally likely."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import contract
from tfrobust.data import Flip, PadCrop
from tfrobust.data.augmentation import chunks
from tfrobust.data.augmentation.transforms import check_augment
from tfrobust.errors import UserError

IMAGE = np.random.default_rng(0).random((6, 5, 3), np.float32)
SEEDS = np.stack([np.full(1500, 11), np.arange(1500)], axis=1)


def apply(transform, image, seeds):
    each = tf.function(
        lambda s: tf.map_fn(lambda seed: transform(image, seed), s, fn_output_signature=image.dtype)
    )
    return each(tf.constant(seeds, tf.int64)).numpy()


@pytest.mark.parametrize("mode, numpy_mode", [("zeros", "constant"), ("reflect", "reflect")])
def test_pad_crop_cuts_the_padded_image_at_uniform_places(mode, numpy_mode):
    padded = np.pad(IMAGE, [(2, 2), (2, 2), (0, 0)], numpy_mode)
    crops = {padded[i : i + 6, j : j + 5].tobytes(): (i, j) for i in range(5) for j in range(5)}
    assert len(crops) == 25
    results = apply(PadCrop(2, mode), IMAGE, SEEDS)
    counts = np.zeros((5, 5))
    for result in results:
        counts[crops[result.tobytes()]] += 1  # KeyError: not a crop of the padded image
    # 60 expected per place; chi square of 24 degrees of freedom, one in a million.
    assert ((counts - 60) ** 2 / 60).sum() < 75


def test_flip_is_exact_and_fair():
    results = apply(Flip(), IMAGE, SEEDS)
    flipped = np.array([np.array_equal(r, IMAGE[:, ::-1]) for r in results])
    same = np.array([np.array_equal(r, IMAGE) for r in results])
    assert (flipped ^ same).all()
    assert abs(flipped.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(SEEDS))


@pytest.mark.parametrize("transform", [PadCrop(1), PadCrop(3, "reflect"), Flip()], ids=repr)
def test_a_transform_is_a_value(transform):
    image = (IMAGE * 255).astype(np.uint8)
    once, again = transform(image, [3, 4]), transform(image, [3, 4])
    assert once.dtype == tf.uint8
    np.testing.assert_array_equal(once, again)
    config = keras.saving.serialize_keras_object(transform)
    assert config["registered_name"] == f"tfrobust>{type(transform).__name__}"
    assert keras.saving.deserialize_keras_object(config) == transform


@pytest.mark.parametrize("padding", [0, -1, 1.5, True, "4"], ids=repr)
def test_a_bad_padding_is_refused(padding):
    with pytest.raises(UserError, match="`padding` of PadCrop must be a whole number of pixels"):
        PadCrop(padding)


def test_a_bad_mode_is_refused():
    with pytest.raises(UserError, match='`mode` of PadCrop must be "zeros" or "reflect".*\'wrap\''):
        PadCrop(4, "wrap")


def test_an_image_too_small_to_reflect_is_refused():
    with pytest.raises(UserError, match="cannot reflect 5 pixels of an image of 6 by 5"):
        PadCrop(5, "reflect")(IMAGE, [0, 0])


@pytest.mark.parametrize(
    "transform",
    [PadCrop(1), PadCrop(3), PadCrop(4, "reflect"), PadCrop(3, "reflect"), Flip()],
    ids=repr,
)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_batch_is_its_images_one_by_one(transform, channels, monkeypatch):
    monkeypatch.setattr(chunks, "_BYTES", 1000)  # the last chunk is smaller
    images = np.random.default_rng(1).integers(0, 256, (41, 6, 5, channels), np.uint8)
    seeds = np.random.default_rng(2).integers(-(2**63), 2**63 - 1, (41, 2))
    each = tf.function(
        lambda: tf.map_fn(
            lambda pair: transform(*pair), (images, seeds), fn_output_signature=tf.uint8
        )
    )
    found = transform.augment_batch(images.copy(), seeds)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, each())
    pixels = images / np.float32(255)
    np.testing.assert_array_equal(
        transform.augment_batch(pixels, seeds), found / np.float32(255), strict=True
    )


class Brighten(Flip):
    """A subclass with another call, which inherits `augment_batch`."""

    def __call__(self, image, seed):
        return tf.minimum(super().__call__(image, seed) * 2.0, 1.0)


class Darken(Brighten):
    def __call__(self, image, seed):
        return tf.cast(image, tf.float32) / 2.0

    def augment_batch(self, images, seeds):
        return contract.array_from_uint8(images) / np.float32(2)


class Grow(Flip):
    def augment_batch(self, images, seeds):
        return np.concatenate([images, images], axis=1)


def test_two_forms_of_one_transform_must_agree():
    assert check_augment([Darken()], (6, 5, 3)) == (Darken(),)
    with pytest.raises(
        UserError, match=r"Brighten\(\).augment_batch makes other images than the call"
    ):
        check_augment([Brighten()], (6, 5, 3))
    with pytest.raises(UserError, match=r"Grow\(\).augment_batch changed images \(4, 6, 5, 3\)"):
        check_augment([Grow()], (6, 5, 3))
    with pytest.raises(UserError, match="cannot reflect 5 pixels of an image of 6 by 5"):
        PadCrop(5, "reflect").augment_batch(IMAGE[None], np.zeros((1, 2), int))
