"""Reading images from .npy files by memory maps."""

import os
from typing import Any, Self

import numpy as np

from tfrobust.contract import check_images
from tfrobust.data.stored.crops import CenterCrop, Crop
from tfrobust.errors import UserError


class MappedImages:
    """A `Reader` of an array of images, of which only the rows that are needed are read.

    Args:
        images: (n, h, w, c), such as `numpy.load(path, mmap_mode="r")` gives; uint8 in 0..255 or float in
            [0, 1].
        path: of the file, for messages.

    Example:
        >>> image, label = MappedImages(np.zeros((3, 4, 4, 1), np.uint8), "x.npy").read(2)
        >>> image.shape, label
        ((4, 4, 1), None)
    """

    words = 0

    def __init__(self, images: np.ndarray, path: str | os.PathLike) -> None:
        # What the first image shows is shown before training: shape, type, range.
        check_images(images[:1], f"images of {path}")
        self.images, self.path = images, path
        self.image_shape = tuple(images.shape[1:])
        self.dtype = np.dtype(np.uint8 if images.dtype == np.uint8 else np.float32)
        self.source = f"{path} by a memory map"

    def __len__(self) -> int:
        return len(self.images)

    def read(self, position: int, words: np.ndarray | None = None) -> tuple[np.ndarray, None]:
        name = f"images[{position}:{position + 1}] of {self.path}"
        return check_images(np.array(self.images[position : position + 1]), name)[0], None

    def with_crop(self, crop: Crop) -> Self:
        """Returns this reader: its images have one size, and are not cut."""
        if crop != CenterCrop():
            raise UserError(f"The images of {self.path} have one size, and {crop} needs pictures.")
        return self

    def update_digest(self, digest: Any, positions: np.ndarray, limit: int) -> None:
        """Adds the whole array's type and shape, and every n-th image, up to `limit` bytes in all."""
        digest.update(f"{self.images.dtype}{self.images.shape}".encode())
        size = len(positions) * self.images[:1].nbytes
        for position in positions[:: max(1, -(-size // limit))]:
            digest.update(np.ascontiguousarray(self.images[position]).data)
