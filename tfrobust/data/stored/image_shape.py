"""The shape of the images that pictures of many sizes become."""

import statistics
from collections.abc import Sequence

from tfrobust.data.resize import check_image_size
from tfrobust.data.stored.pictures import read_header
from tfrobust.errors import UserError

LARGEST = 64
"""The most pixels of a side that are chosen; more are to be asked for."""

_LOOKED_AT = 256
_MULTIPLE = 8


def check_image_shape(
    image_size: int | tuple[int, int] | None, channels: int | None
) -> tuple[int, int] | None:
    """Returns (height, width), or None if it is open; raises `UserError` for what no image can have."""
    size = None if image_size is None else check_image_size(image_size)
    if channels not in (1, 3, None):
        raise UserError(
            "`channels` must be 1 (luminance), 3 (RGB), or None for what the pictures have. "
            f"Received: {channels!r}."
        )
    return size


def choose_image_shape(
    paths: Sequence[str], image_size: int | tuple[int, int] | None, channels: int | None
) -> tuple[tuple[int, int], int]:
    """Chooses what is left open of the size and the channels of images by the pictures' headers.

    Pictures of one size of at most 64 by 64 keep it. Others become squares: of the median of their shorter
    sides, rounded down to a multiple of 8, from 8 to 64. The channel is one where all pictures are grey. Of
    many pictures, 256 are looked at, at equal distances in the list.

    Args:
        paths: the pictures' files.
        image_size: integer or (height, width), which stays; or None.
        channels: 1 or 3, which stays; or None.

    Returns:
        (height, width), and the number of channels.

    Raises:
        UserError: a file is no picture.

    Example:
        >>> from PIL import Image
        >>> for name, size in (("a.png", (40, 30)), ("b.png", (61, 70))):
        ...     Image.new("L", size).save(name)
        >>> from tfrobust.data.stored.image_shape import choose_image_shape
        >>> choose_image_shape(["a.png", "b.png"], None, None)
        ((40, 40), 1)
    """
    size = check_image_shape(image_size, channels)
    if size is not None and channels is not None:
        return size, channels
    found = [read_header(path) for path in paths[:: max(1, -(-len(paths) // _LOOKED_AT))]]
    if channels is None:
        channels = 1 if all(header.is_grey for header in found) else 3
    if size is not None:
        return size, channels
    sizes = {(header.height, header.width) for header in found}
    if len(sizes) == 1 and max(max(sizes)) <= LARGEST:
        return sizes.pop(), channels
    side = statistics.median(min(header.height, header.width) for header in found)
    side = int(min(max(side // _MULTIPLE * _MULTIPLE, _MULTIPLE), LARGEST))
    return (side, side), channels
