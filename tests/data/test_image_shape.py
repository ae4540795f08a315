"""What is left open of the images' shape follows from the pictures."""

import numpy as np
import pytest
from PIL import Image

from tests.data.photos import draw_photos
from tfrobust.data import image_folder, image_list
from tfrobust.data.sources.load import load_source
from tfrobust.data.stored.image_shape import choose_image_shape
from tfrobust.errors import UserError


def save(folder, *sizes, mode="L"):
    """Pictures of (height, width) `sizes`; returns their paths."""
    paths = [str(folder / f"{number}.png") for number in range(len(sizes))]
    for path, (height, width) in zip(paths, sizes, strict=True):
        Image.new(mode, (width, height)).save(path)
    return paths


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([(28, 28)] * 3, (28, 28)),
        ([(28, 64)] * 3, (28, 64)),
        ([(28, 65)] * 3, (24, 24)),  # one size, and too large
        ([(40, 99), (90, 33), (61, 80)], (40, 40)),  # shorter sides 33, 40, 61
        ([(40, 99), (90, 47)], (40, 40)),  # median 43.5
        ([(300, 400), (200, 900)], (64, 64)),
        ([(3, 9), (9, 5)], (8, 8)),
    ],
)
def test_the_size_follows_from_the_pictures(tmp_path, sizes, chosen):
    paths = save(tmp_path, *sizes)
    assert choose_image_shape(paths, None, 3) == (chosen, 3)
    assert choose_image_shape(paths, (5, 6), None) == ((5, 6), 1)


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("1", 1), ("LA", 1), ("P", 3), ("RGBA", 3)]
)
def test_the_channels_follow_from_the_pictures(tmp_path, mode, channels):
    paths = save(tmp_path, (8, 8), (8, 8), mode=mode)
    assert choose_image_shape(paths, None, None) == ((8, 8), channels)
    Image.new("RGB", (8, 8)).save(paths[1])
    assert choose_image_shape(paths, 8, None)[1] == 3
    assert choose_image_shape(paths, 8, 1)[1] == 1


def test_of_many_pictures_some_are_looked_at(tmp_path):
    (small,) = save(tmp_path, (16, 16))
    # Every second one of 512: the first is.
    assert choose_image_shape([small, "not there"] * 256, None, None) == ((16, 16), 1)
    with pytest.raises(UserError, match="not there"):
        choose_image_shape([small, "not there"], None, None)


def test_pictures_of_mixed_sizes_and_kinds_become_images_of_one(tmp_path):
    draw_photos(tmp_path / "photos", 48)
    rows = [f"{p.relative_to(tmp_path)},{p.parent.name}" for p in tmp_path.glob("photos/*/*")]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    folder = image_folder(tmp_path / "photos", channels=None)
    listed = image_list(tmp_path / "list.csv", channels=None)
    height, width, channels = folder.info.image_shape
    assert height == width and height % 8 == 0 and channels == 3
    assert folder.train.images.dtype == np.uint8 and listed.info.image_shape == (height, width, 3)
    # The record says what was chosen, and reads the same images.
    arguments = folder.info.source["arguments"]
    assert (arguments["image_size"], arguments["channels"]) == ([height, width], 3)
    again = load_source(folder.info.source)
    np.testing.assert_array_equal(again.test.images, folder.test.images)


@pytest.mark.parametrize(
    "settings", [{"image_size": 0}, {"channels": 2}, {"image_size": (1, 2, 3)}]
)
def test_settings_are_checked_before_the_folder_is_looked_at(tmp_path, settings):
    with pytest.raises(UserError, match=next(iter(settings))):
        image_folder(tmp_path / "not there", **settings)
