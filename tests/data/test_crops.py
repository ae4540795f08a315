"""The part of a picture that becomes an image: its distribution, and its pixels however it is decoded."""

import io

import numpy as np
import pytest
from PIL import Image

from tfrobust.data import CenterCrop, RandomResizedCrop, order
from tfrobust.data.resize import crop_and_resize
from tfrobust.data.stored.pictures import read_image
from tfrobust.errors import UserError

RNG = np.random.default_rng(0)


def draw(crop, height, width, count):
    bits = [order.draw_bits(0, 0, order.CROP, crop.words, example) for example in range(count)]
    return np.array([crop.choose_box(height, width, (8, 8), words) for words in bits])


def encode(pixels, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def test_random_boxes_have_the_area_the_ratio_and_the_places_that_are_said():
    # In a picture this wide for its height no draw of a ratio in range is refused.
    crop = RandomResizedCrop(scale=(0.1, 0.5))
    top, left, height, width = draw(crop, 600, 600, 2000).T
    area, ratio = height * width / 600**2, np.log(width / height)
    assert 0.099 < area.min() and area.max() < 0.501
    assert abs(area.mean() - 0.3) < 5 * 0.4 / np.sqrt(12 * 2000)
    assert abs(ratio).max() < np.log(4 / 3) + 0.01
    assert abs(ratio.mean()) < 5 * 2 * np.log(4 / 3) / np.sqrt(12 * 2000)
    for start, length in ((top, height), (left, width)):
        place = start / (600 - length)
        assert start.min() >= 0 and (start + length).max() <= 600
        assert abs(place.mean() - 0.5) < 5 / np.sqrt(12 * 2000)


def test_boxes_lie_inside_and_none_fits_a_strip_but_the_central_one():
    for height, width in ((600, 40), (40, 600), (1, 1), (3, 2)):
        top, left, box_height, box_width = draw(RandomResizedCrop(), height, width, 200).T
        assert (top >= 0).all() and (left >= 0).all() and (box_height > 0).all()
        assert (top + box_height <= height).all() and (left + box_width <= width).all()
    whole = RandomResizedCrop(scale=(1.0, 1.0)).choose_box(600, 40, (8, 8), np.zeros(40, np.uint64))
    assert whole == (273, 0, 53, 40)


def test_numbers_belong_to_seed_epoch_and_example():
    drawn = {
        tuple(order.draw_bits(seed, epoch, order.CROP, 4, example))
        for seed in range(3) for epoch in range(3) for example in range(50)
    }  # fmt: skip
    assert len(drawn) == 450
    np.testing.assert_array_equal(
        order.draw_bits(5, 6, order.CROP, 4, 0), order.draw_bits(5, 6, order.CROP, 4)
    )


@pytest.mark.parametrize("size", [(30, 40), (200, 150)])
@pytest.mark.parametrize("crop", [RandomResizedCrop(), CenterCrop(230)], ids=repr)
def test_a_jpeg_that_is_cropped_as_it_is_decoded_has_the_pixels_of_the_whole(crop, size):
    # Without chroma subsampling, so that a pixel depends on its own block only.
    data = encode(RNG.integers(0, 256, (190, 260, 3), np.uint8), "JPEG", quality=95, subsampling=0)
    import tensorflow as tf

    whole = encode(tf.io.decode_jpeg(data).numpy(), "PNG")
    for example in range(8):
        words = order.draw_bits(0, 0, order.CROP, 40, example)
        one = read_image(data, "a.jpg", size, 3, crop, words).astype(int)
        other = read_image(whole, "a.png", size, 3, crop, words).astype(int)
        assert one.shape == (*size, 3)
        # Coordinates in the window are rounded otherwise.
        assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (40, 30)])
def test_the_largest_part_is_cut_and_resized_as_tensors_are(size):
    for height, width in ((8, 8), (9, 31), (40, 12), (25, 25), (40, 30), (1, 3)):
        pixels = RNG.integers(0, 256, (height, width, 3), np.uint8)
        found = read_image(encode(pixels, "PNG"), "a.png", size, 3, CenterCrop())
        np.testing.assert_array_equal(found, crop_and_resize(pixels, size).numpy())


def test_the_middle_of_a_resized_picture_is_what_two_steps_give():
    # A side of 256 becomes 64: whole pixels in both steps.
    pixels = RNG.integers(0, 256, (256, 320, 3), np.uint8)
    small = Image.fromarray(pixels).resize((80, 64), Image.Resampling.BILINEAR)
    expected = np.asarray(small)[4:60, 12:68].astype(int)
    found = read_image(encode(pixels, "PNG"), "a.png", (56, 56), 3, CenterCrop(64)).astype(int)
    assert np.abs(found - expected).max() <= 1


def test_gray_pictures_have_one_channel():
    pixels = RNG.integers(0, 256, (20, 30), np.uint8)
    for kind in ("PNG", "JPEG"):
        for crop in (CenterCrop(), CenterCrop(10), RandomResizedCrop()):
            assert read_image(encode(pixels, kind), "a", (8, 8), 1, crop).shape == (8, 8, 1)
            assert read_image(encode(pixels, kind), "a", (8, 8), 3, crop).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomResizedCrop(scale=(0.0, 1.0)), "`scale` of RandomResizedCrop must be two"),
        (lambda: RandomResizedCrop(scale=(0.5, 1.5)), "at most 1. Received: scale="),
        (lambda: RandomResizedCrop(ratio=2.0), "`ratio` of RandomResizedCrop must be two numbers"),
        (lambda: RandomResizedCrop(ratio=(2.0, 1.0)), "Received: ratio=(2.0, 1.0)"),
        (lambda: CenterCrop(0), "`resize` must be a whole number of at least 1"),
        (lambda: CenterCrop(8).check_size((8, 9)), "at least the image's larger side, 9"),
    ],
)
def test_ranges_are_checked(make, message):
    with pytest.raises(UserError) as caught:
        make()
    assert message in str(caught.value)
