"""Reading pictures from files."""

import copy
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from tfrobust.data.stored.crops import CenterCrop, Crop
from tfrobust.data.stored.pictures import read_header, read_image
from tfrobust.errors import UserError


class ImageFiles:
    """A `Reader` of pictures, one a file.

    Args:
        folder: where the files are.
        names: the files' paths, relative to it.
        sizes: their sizes in bytes.
        size: (height, width) of the images.
        channels: 3 (RGB) or 1 (luminance).
        crop: the part of a picture that becomes an image.

    Example:
        >>> from PIL import Image
        >>> Image.fromarray(np.full((8, 8, 3), 5, np.uint8)).save("a.png")
        >>> image, label = ImageFiles(".", ["a.png"], [70], (4, 4), 3).read(0)
        >>> image.shape, label
        ((4, 4, 3), None)
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        folder: str | os.PathLike,
        names: Sequence[str],
        sizes: Sequence[int],
        size: tuple[int, int],
        channels: int,
        crop: Crop | None = None,
    ) -> None:
        self.folder, self.names = os.fspath(folder), list(names)
        self.sizes = np.asarray(sizes, np.int64)
        self.image_shape = (*size, channels)
        self.source = f"the files of {folder}"
        self.crop = CenterCrop() if crop is None else crop
        self.crop.check_size(size)

    @property
    def words(self) -> int:
        return self.crop.words

    def __len__(self) -> int:
        return len(self.names)

    def read(self, position: int, words: np.ndarray | None = None) -> tuple[np.ndarray, None]:
        path = os.path.join(self.folder, self.names[position])
        data = _read_bytes(path)
        height, width, channels = self.image_shape
        return read_image(data, path, (height, width), channels, self.crop, words), None

    def check_first(self, labels: np.ndarray) -> None:
        """Raises `UserError` unless the first file of each class begins as a picture does."""
        for position in np.unique(labels, return_index=True)[1]:
            read_header(os.path.join(self.folder, self.names[position]))

    def with_crop(self, crop: Crop) -> Self:
        crop.check_size(self.image_shape[:2])
        other = copy.copy(self)
        other.crop = crop
        return other

    def update_digest(self, digest: Any, positions: np.ndarray, limit: int) -> None:
        """Adds the crop, all names and sizes, and the bytes of every n-th file, up to `limit` in all."""
        digest.update(f"{self.crop}".encode())
        sizes = self.sizes[positions]
        digest.update("\n".join(self.names[position] for position in positions).encode())
        digest.update(sizes.tobytes())
        every = max(1, -(-int(sizes.sum()) // limit))
        for position in positions[::every]:
            digest.update(_read_bytes(os.path.join(self.folder, self.names[position])))


def _read_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}. Put it back, or correct its permissions; the "
            "run goes on from where it was saved."
        ) from error
